"""The words of the chat's grammar, as tables: values and their synonyms, degrees, amounts. Whole messages are in `phrases`; no rules live here."""

# What people call the values of the two attributes that everybody has words for; other attributes are called by their own values.
VALUES = {
    "past": ("tense", "past"), "yesterday": ("tense", "past"), "preterite": ("tense", "past"),
    "present": ("tense", "present"), "today": ("tense", "present"),
    "future": ("tense", "future"), "tomorrow": ("tense", "future"),
    "positive": ("sentiment", "positive"), "negative": ("sentiment", "negative"),
}  # fmt: skip
# Words that ask for a feeling only inside a frame ("make it happy") or when compared ("happier"): alone they are just words.
FEELINGS = {
    "positive": "happy happier cheerful cheery good better nice nicer kind kinder friendly friendlier optimistic joyful pleasant "
                "positively glad gladder upbeat lovely sweet sweeter warm warmer bright brighter positivity",
    "negative": "sad sadder bad worse gloomy gloomier mean meaner unhappy unhappier unfriendly pessimistic angry angrier unpleasant "
                "negatively grumpy grumpier nasty nastier rude ruder miserable dark darker awful terrible negativity",
}  # fmt: skip
FEELING_OF = {word: value for value, words in FEELINGS.items() for word in words.split()}
COMPARED = {w for w in FEELING_OF if w.endswith("er")} | {"worse"}
UNKNOWN_VALUES = {"neutral"}

# Degrees: how many times a whole step.
MORE, LESS = {"more"}, {"less", "not"}
STRONG = set("much lot lots very really extremely super way far strongly strong stronger even heavily totally completely hugely quite most max maximum maximally".split())
WEAK = set("bit little slightly somewhat tad touch mildly weakly gently softly kinda rather fairly".split())
STRENGTHS = {  # (more or less or neither, strong or weak or neither) → strength; below 1 asks for the smallest visible change
    ("", ""): 1.0, ("", "strong"): 1.8, ("", "weak"): 0.5,
    ("more", ""): 1.5, ("more", "strong"): 2.0, ("more", "weak"): 0.6,
    ("less", ""): 0.7, ("less", "strong"): 1.5, ("less", "weak"): 0.4,
}  # fmt: skip
# Degrees said in several words, and edits in other frames, as what they come to: pattern of lower-case words → words of the tables here.
_VALUE = rf"(?:{'|'.join([*VALUES, *FEELING_OF])})"
REWORDED = [
    (r"\bto{2,}\b", "too"),
    (r"^(?:the )?(.+?) (?:version|variant|form|one) of (?:this|that|it)(?: sentence)?$", r"the \1 version"),
    (r"^(?:(?:give|show|get|tell) (?:me |us )?|gimme |see |have |let me see |let's see )(?=(?:the|a|its) .*(?:version|variant|form|tense)$|the \w+ one$)", ""),
    (rf"^(the (?:{'|'.join(VALUES)})) one$", r"\1 version"),
    (rf"^(?:(?:something|a sentence|a version|a variation|the same thing|the same|same|one|a similar sentence) )?(?:like|similar to|as) (?:this|that|it)(?: one| sentence)? (?:but |only |just )?(?=.*{_VALUE})", "make it "),
    (rf"^(?:the )?(?:same|similar)(?: thing| sentence| one)?(?: again)? (?:but |only |just )?(?=.*{_VALUE})", "make it "),
    (r"^(?:(?:go|come|switch|return|move|jump|turn|change|convert|bring it|take it|put it) )?back (?:in)?to ", "to "),
    (r"^(?:go|jump|switch) (?:in)?to ", "to "),
    (r"^take (?=(?:it|this|that) (?:in)?to )", "put "),
    (r"^(?:show me|give me|see) (?=(?:it|this|that|the sentence) in )", "put "),
    (rf"^(?:do|use|using|with) (?=(?:the |it )?{_VALUE})", "make it "),
    (r"^(?:(?:tone|turn|bring|dial|play) down|reduce|decrease|lower|lessen) (?:the )?", "less "),
    (r"^(?:(?:tone|turn|dial) up|increase|raise|boost) (?:the )?", "more "),
    (r"^double (?:the )?", "much more "),
    (rf"({_VALUE}) (?:you|it) can(?: be)?$", r"\1"),
    (r"\bnot (.+?) enough\b", r"more \1"),
    (r"\bnot (\w+) at all\b", r"much less \1"),
    (r"\bnot at all ", "much less "),
    (r"\bnot (?:any )?more (?=\w)", "less "),
    (rf"\bnot (?:quite |all )?(?:so|that|too|as)(?: much)? (?=(?:\w+ )?{_VALUE})", "less "),
    (r"\bas (\w+) as (?:possible|you can|it gets|can be|it can be|it can get)\b", r"very \1"),
    (r"\b(?:twice|two times|three times|3 times|2 times|2x|3x) (?:as|more) ", "much more "),
    (r"\b(?:[1-9]|[12]\d)(?: %| percent) (?=more|less)", "a bit "),
    (r"\b[3-9]\d(?: %| percent) (?=more|less)", ""),
    (r"\b[1-9]\d\d(?: %| percent) (?=more|less)", "much "),
    (rf"\b(?:[1-9]|[12]\d)(?: %| percent) (?={_VALUE})", "a bit more "),
]
TOO = rf"\btoo (?:much )?(?={_VALUE})"  # "too positive" asks for less of it
OPPOSITE = {"positive": "negative", "negative": "positive"}

# What may stand around the values of an edit.
POLITE = (
    "please pls plz kindly ok okay now then so and but hey well alright great nice cool thanks hmm hm um uh just maybe perhaps next".split()
)
REQUESTS = [
    phrase.split()
    for phrase in (
        "can you", "could you", "would you", "will you", "can we", "could we", "can i have", "could i have", "can i get", "could i get", "may i have",
        "what would it be if", "what would it be", "what would it look like", "what would it sound like", "what would this be", "what would this look like", "what would this sound like",
        "what would that be", "how would this be", "how would it sound", "how would this sound", "how would it look", "how does it sound", "what if it was", "what if it were", "how would it be", "do it",
        "i want you to", "i want to",
        "i'd like you to", "i'd like to", "i would like you to", "i would like to", "i want", "i'd like", "i would like", "i need", "let's",
        "can it be", "could it be", "can this be", "could this be", "can i see", "could i see", "may i see", "let me see", "let's see", "can you show me", "i'd like to see", "i want to see",
        "lets", "let us", "try to", "try and", "try", "how about", "what about", "now", "go ahead and",
    )
]  # fmt: skip
VERBS = set("make turn change set put switch convert shift move rewrite rephrase transform bring render edit say phrase express".split())
OBJECTS = [phrase.split() for phrase in ("it", "this", "that", "the sentence", "this sentence", "that sentence", "the last one", "this one", "that one", "the text", "my sentence", "the whole sentence", "your sentence",
                                             "tense", "the tense", "sentiment", "the sentiment", "mood", "the mood")]
OBJECT_REQUIRED = {"say", "bring", "put", "move", "set", "edit", "phrase", "express", "render"}
EDIT_FILLERS = set(
    "in into to the a an tense tenses form version variant sentiment tone mood and but also as well please now then instead too plus both "
    "at same time be sound feel become it this sentence way with again one feeling only put make so as".split()
)
BARE_FILLERS = set("in into to the a an tense form version sentiment tone and but also please now instead too plus both way only again".split())

# What is drawn anew.
DRAW_VERBS = set("say give show tell write generate make draw pick invent sample create suggest find get produce think have".split())
DRAW_NOUNS = set("something anything sentence sentences one ones phrase phrases surprise".split())
DRAW_FILLERS = set(
    "me us a an the some in of with up tense about which that another new random different else please now and but also any more "
    "fresh totally completely really sentiment tone to be at by whatever".split()
) - {"about"}  # fmt: skip

ABBREVIATIONS = {
    "mk": "make", "chng": "change", "chg": "change", "u": "you", "r": "are", "ur": "your", "smth": "something", "sth": "something", "pos": "positive",
    "neg": "negative", "fut": "future", "pres": "present", "prev": "previous", "rnd": "random", "wat": "what", "whats": "what's", "thats": "that's",
    "dont": "don't", "gimme": "give me", "lil": "little", "abt": "about", "wanna": "want to", "lemme": "let me",
}  # fmt: skip
NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "hundred": 100,
    "couple": 2, "few": 3, "several": 4, "once": 1, "twice": 2, "thrice": 3, "dozen": 12,
}  # fmt: skip
FRACTIONS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4, "fifth": 5, "fifths": 5,
    "sixth": 6, "sixths": 6, "eighth": 8, "eighths": 8, "tenth": 10, "tenths": 10,
}  # fmt: skip
HALVES = set("halfway midway middle midpoint center centre".split())
WAY_FILLERS = set(
    "the of way a an at to in go move walk take step jump show me there along on it from here path line point please now up just through "
    "exactly about roughly between them both sentences two keep".split()
)
BACKWARD = set("back backward backwards return backtrack".split())
ONWARD = set("going walking further farther forward forwards onward onwards continue closer".split())
SMALL_STEP = 0.15
GO_ON = {"go on", "carry on", "move on", "walk on", "keep on", "keep it going", "proceed", "go on then", "go a bit on", "go on a bit"}
REDO_ALL = {"redo all", "redo everything", "redo all of it", "redo all steps", "redo all the steps", "redo it all", "redo them all", "redo the lot"}

# Tasks that people bring to chat programs and that a walk through sentences cannot do.
OTHER_TASKS = set(
    "translate summarize summarise proofread spellcheck calculate compute google browse search wikipedia define".split()
)
OTHER_PRODUCTS = set(
    "poem poems story stories joke jokes song songs essay code email letter haiku rap paragraph article recipe script lyrics riddle limerick "
    "program function tweet speech novel report".split()
)

ABOUT_QUOTES = set("add subtract mix average combine between from walk go get compare interpolate halfway take".split())  # a message of ours with a sentence in it begins so

# Words that begin a clause, and verbs that betray one: enough to tell "it will rain" from "the old house".
SUBJECTS = set("i you he she we they i'm i'll i've i'd you're you'll you've he's he'll she's she'll we're we'll we've they're they'll they've it's it'll "
               "that's there's let's what's where's who's how's don't tom mary".split())  # fmt: skip
STARTERS = set(
    "it this that these those there here the a an my your his her its our their some many most all every each no nobody everybody everyone "
    "someone somebody who what where when why how which do does did can could will would shall should may might must is are was were have has "
    "had please let never always maybe if people children nothing everything something".split()
)
FINITE = set(
    "is are was were am be been has have had do does did will would can could shall should may might must isn't aren't wasn't weren't hasn't "
    "haven't hadn't don't doesn't didn't won't wouldn't can't couldn't shouldn't i'm i'll he's she's it's we're they're you're went go goes come comes came get gets got "
    "make makes made take takes took see sees saw say says said know knows knew think thinks thought want wants wanted like likes liked love loves "
    "loved hate hates hated need needs needed give gives gave find finds found tell tells told ask asks asked work works worked feel feels felt "
    "leave leaves left live lives lived play plays played eat eats ate sleep sleeps slept read reads run runs ran sit sits sat stand stands stood "
    "lose loses lost pay pays paid meet meets met speak speaks spoke write writes wrote buy buys bought rain rains rained seem seems seemed look "
    "looks looked help helps helped start starts started stop stops stopped open opens opened walk walks walked wait waits waited die died smell smells smelled "
    "taste tastes tasted barks bark sings sing sang smile smiles smiled cry cries cried win wins won bring brings brought".split()
)

# Ordinary words that look like slips of the grammar's words and are none.
ORDINARY = set(
    "compare complete quiet quieter quite quit post fast last cast vast mast pest pass paste pasta part pat pant paste east feature features nature suture resent prevent presents president "
    "peasant pleasant resent undue under red reds ready rode reed who way wry hell held heap kelp yelp helps helped kelp bank pack lack bark "
    "beck tack sack rack hack black hall calf halt ham thirst bird thirty quartet move mode sore core mere mare moor wore lore fore store pore tore bore "
    "lets loss mess bless lens lass let take cake lake male mate bake wake fake sake rake mike maker maze mare making made chance charge charges "
    "changed vary such mush must oven lover cover stark smart state stare star stay stat starts and any sunrise surprised surprises sunset "
    "leek lick lice lie lift life bike hike pike lime line live likes liked lame litter title bottle bitter letter latter later better butter "
    "bid big bat but bin sit bite very vest nest best rest test next text nearer neared newest near neat nicer niece nine "
    "ran rant band tenth tent sense dense tens lense reverse revert rest resets reason season treason repeat repent retreat redo "
    "turn torn tune burn turner them that than then they thin this thus its in it if is on an am at as ant act one ones once "
    "say sly sat day may pay way ray lay bay stay play says any sexy gave give given live girl five hive dive show shot shop snow slow "
    "tell till tall bell sell fell well tells toll told tale sentence sentences sad said sand bad bed dad mad glad lad had red "
    "go got god goat come home some same sane sample simple ample random ransom seldom "
    "bigger longer shorter louder slower faster bright night right light sight wrong long song strong string along among "
    "meal mean men moon mood food good wood hood tone stone bone gone done none ton tune town gown tan ten "
    "hello hallo hollow yellow mellow hi hit him his high kind mind king kin find blind wind warm warn arm worm work word world ward "
    "dart dirt dark bark park mark shark farm harm charm formal form from fort foam farm farmer former version "
    "where here there were wire wore hare bare care rare dare fare pare ware what wheat whale while "
    "whole hole halves have has hate half-time path bath math oath pith past clear clean clever cleaner dear fear bear year tear gear pear "
    "link sink pink drink wink think blink rank tank save same wave cave gave sale safe salt share shore shape shade sharp spare scare "
    "load road loaf toad export expert expect import impart drawn drew draws picture pitcher mixture image manage "
    "upset upload download option action nation motion ration oration explain complain plain explode exclaim detail retail details "
    "number lumber member chamber numb close closer closet loser clothes closest chose choose lose those nose "
    "anther mother other bother brother amother another neither nether weather whether either "
    "away war was wax wag tray pray gray bray fray stray steps stop stem steep seep sheep sleep slip ship skip "
    "hear heard heart hearing beard board ward hoard "
    "middle riddle fiddle muddle meddle saddle paddle puddle little brittle kettle settle battle cattle rattle tittle "
    "future fortune furniture posture pasture creature culture torture "
    "negate native relative naive negation position positions possible passive massive "
    "slightly lightly tightly nightly brightly rightly sightly something nothing anything somewhat sometime "
    "forward toward reward award backward onward inward upward coward "
    "father further gather rather lather fathers cancel cancer council counsel canal "
    "revert divert invert advert redone radio rodeo video vary wary very fairy "
    "shot chat that what hat cat rat mat sat fat pat bat flat at boat coat goat "
    "sun fun run gun nun bun son sin sum ".split()
)
