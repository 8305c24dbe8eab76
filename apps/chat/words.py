"""The words of the chat's grammar, as tables: values and their synonyms, degrees, amounts, whole phrases. No rules live here."""

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
STRONG = set("much lot lots very really extremely super way far strongly strong stronger even heavily totally completely hugely quite".split())
WEAK = set("bit little slightly somewhat tad touch mildly weakly gently softly kinda".split())
STRENGTHS = {  # (more or less or neither, strong or weak or neither) → strength; below 1 asks for the smallest visible change
    ("", ""): 1.0, ("", "strong"): 1.8, ("", "weak"): 0.5,
    ("more", ""): 1.5, ("more", "strong"): 2.0, ("more", "weak"): 0.6,
    ("less", ""): 0.7, ("less", "strong"): 1.5, ("less", "weak"): 0.4,
}  # fmt: skip
OPPOSITE = {"positive": "negative", "negative": "positive"}

# What may stand around the values of an edit.
POLITE = (
    "please pls plz kindly ok okay now then so and but hey well alright great nice cool thanks hmm hm um uh just maybe perhaps next".split()
)
REQUESTS = [
    phrase.split()
    for phrase in (
        "can you", "could you", "would you", "will you", "can we", "could we", "can i have", "could i have", "can i get", "could i get", "may i have",
        "what would it be", "what would it look like", "what would it sound like", "what if it was", "what if it were", "how would it be", "do it",
        "the same", "same", "and the same", "the same thing", "the same sentence", "same thing", "same sentence", "i want you to", "i want to",
        "i'd like you to", "i'd like to", "i would like you to", "i would like to", "i want", "i'd like", "i would like", "i need", "let's",
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
BARE_FILLERS = set("in into to the a an tense form version sentiment tone and but also please now instead too plus both way only".split())

# What is drawn anew.
DRAW_VERBS = set("say give show tell write generate make draw pick invent sample create suggest find get produce think have".split())
DRAW_NOUNS = set("something anything sentence sentences one ones phrase phrases surprise".split())
DRAW_FILLERS = set(
    "me us a an the some in of with up tense about which that another new random different else please now and but also any more "
    "fresh totally completely really sentiment tone to be at by whatever".split()
) - {"about"}  # fmt: skip

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
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

# Whole messages, politeness and punctuation taken off.
PHRASES = {
    "undo": """undo|undo that|undo it|undo this|undo last|undo the last|undo the last step|undo last step|undo the last one|undo the last change|
        take that back|take it back|go back|back|step back|one step back|go one step back|a step back|go back one step|go back one|back one|
        go back a step|previous|previous one|the previous one|go to the previous one|previous sentence|the previous sentence|back to the previous one|
        revert|revert that|revert it|cancel|cancel that|oops|no not that|not that|not that one|ctrl z|ctrl+z|undo my last message|i take that back|
        go back to the previous sentence|go back to the last one|back to the last sentence|undo once|undo edit|undo the edit|undo change|undo the change|revert the last change|revert the last step|undo my last step|go back to the last sentence|undo the last message|back to where we were|back to where i was|return|go to the last sentence|back to the one before|the one before|go to the sentence before|back to previous|back to last""",
    "redo": """redo|redo that|redo it|redo last|undo the undo|undo undo|ctrl y|ctrl+y|do it again after all|put it back|redo the step|redo step|
        redo the last step|redo last step|bring it back|unundo|redo once|redo the edit|bring back the last step|bring back the last one|bring that back""",
    "restart": """start over|restart|reset|start again|from the beginning|from the start|from the top|begin again|new conversation|
        clear|clear everything|clear all|start from scratch|start a new conversation|start fresh|back to the start of everything|
        start anew|new start|new walk|start a new walk|reset everything|reset all|wipe everything|begin anew|fresh start|new chat|
        start from the beginning|let's start over|forget everything|clear the conversation|clear the chat|reset the walk|go back to square one|undo all|undo everything|revert everything|revert all|delete everything|from zero|start from zero|back to zero|reset the chat|reset chat|clear chat|clear this|reset this|reset it|delete the conversation|new walk please|start all over|start all over again|start over again""",
    "why": """why|why that|why this|why is that|why this one|why that one|why this sentence|why that sentence|why did it change|why did that happen|
        why not|how come|explain|explain that|explain this|explain it|explain yourself|explain the last step|what happened|what happened here|
        what did you do|what did you just do|how did you get that|how did you get there|how did you do that|how did you do it|reason|the reason|
        where did that come from|what do the numbers mean|what does that mean|what do these numbers mean|details|more details|show details|
        why did you do that|why did you say that|why did you change that|why did you change it|why nothing changed|why did nothing change|
        why didn't it change|why is it the same|how likely is it|how likely is that|how likely is this sentence|how sure are you|are you sure|
        numbers|show numbers|show me the numbers|the numbers|score|what changed|explain the numbers|why so|why is it like that|why did it become that|why is it that|why did it become this|why is this|why is it this|how did you do this|where does that come from|where does this come from|where does it come from|what is this sentence|what was that|what did that do|what just happened|why did it not change|why didn't you change it|what do you mean|tell me why|say why|explain why|explain the step|show me why|what is the kl|what is kl|what is nll|what does kl mean|what does nll mean|what are these numbers|what are the numbers|probabilities|show me the probabilities|show the probabilities|how are the numbers computed|how did you compute that|how do you know|how do you know that|how did you choose|why did you choose this|why did you choose that|how was that made|how come that|what did you do there|what did you do here""",
    "where": """where am i|where are we|where am i now|where are we now|current sentence|what is the current sentence|what's the current sentence|
        what is the sentence now|what's the sentence now|what was the sentence|repeat|repeat that|say that again|repeat the sentence|
        show me where i am|show the current sentence|status|what did i type|what did i say|which sentence is this|which sentence are we at|what is the sentence|what's the sentence|the sentence|current""",
    "help": """help|help me|?|what can you do|what can i do|what can i say|what can i type|what can i ask|what can i ask you|how does this work|
        how does it work|what is this|what's this|commands|options|examples|show examples|show me examples|give me examples|give me an example|
        show me an example|an example|instructions|what now|what next|what else|what else can you do|what should i do|what should i type|
        what should i say|how do i use this|how to use this|how do i start|usage|manual|menu|list commands|show commands|show me the commands|
        i need help|i'm lost|i am lost|what do you understand|what do you know|tutorial|guide|how do you work|who are you and what can you do|
        what is this page|what am i looking at|what is going on|i don't understand|i do not understand|what is a latent space|
        what is latent space|what's a latent space|what is an autoencoder|are you a bot|are you a robot|are you an ai|are you chatgpt|are you human|
        what are you|what do i do|what do i do now|what can you change|what can i do here|what can you do here|how do i change the tense|how do i change the sentence|how do i change it|how do i change the sentiment|how do i go back|how do i undo|how can i change it|how can i change the tense|how can i change the sentence|what do i type|what do i say|what to do|what to say|what to type|what are my options|help please|show help|show me help|more help|what are you able to do|how do you understand me|how do i do this|how does one use this|what do you do|what is there to do|what can be done here|how do i use it|how does one use it|how to use it""",
    "hello": """hello|hi|hey|hello there|hi there|hey there|good morning|good evening|good afternoon|hiya|yo|howdy|greetings|hello bot|hi bot|hallo|salut""",
    "thanks": """thanks|thank you|thanks a lot|thank you very much|thank you so much|many thanks|thx|cheers|great|cool|nice|wow|awesome|amazing|
        good job|well done|nice one|good|perfect|lovely|beautiful|i like it|i like that|that's cool|that's great|haha|lol|ha|nice work|not bad|
        very good|very nice|excellent|brilliant|bravo|good one|that's funny|funny|interesting|bye|goodbye|good bye|see you|ok|okay|yes|no|sure|
        yep|nope|fine|never mind|nevermind|hmm|maybe|sorry|stop|wait|quit|exit|done|yeah|nah|right|wrong|boring|that's wrong|that is wrong|bad|
        that's bad|i don't like it|i do not like it""",
    "like": """something like this|something like that|something like it|something similar|similar|similar one|a similar one|more like this|more like that|
        a variation|variation|variations|vary|vary it|vary this|vary that|show variations|show me variations|another like this|one like this|
        like this|like that|something close|something close to this|something close to it|something nearby|say it differently|
        a variant|variants|another variant|another variation|say something similar|say something like this|say something like that|
        a sentence like this|a similar sentence|give me something similar|give me something like this|give me something like that|
        show me something similar|show me something like this|something along those lines|something in that direction|a neighbour of this|
        give me a variation|make a variation|a variation of this|a variation on this|variations of this|variations on this|more of this|
        more of the same|show me more like this|give me more like this|sentences like this|sentences like this one|something like this one|
        something like the last one|a bit different|slightly different|say it another way|another way to say it|make it a bit different|
        similar but different|another version|another one like this|another one like that|tweak it|jitter|wiggle|wiggle it|more of that|show me similar sentences|similar ones|show me similar ones|show me something close|give me a variant|say it in other words|in other words|rephrase it|rephrase this|rephrase that|paraphrase|paraphrase it|rephrase|reword it|reword|similar sentence|something alike|alike|a close one|close ones|near this|something near this|something near|another like that|another like it|one like that|one more like this|one more like that""",
    "surprise": """surprise me|surprise|surprise me again|i'm feeling lucky|i am feeling lucky|random|randomize|randomise|something random|a random sentence|
        random sentence|random one|dream|dream something|make something up|make something up for me|take me somewhere|take me anywhere|anywhere|
        somewhere else|somewhere new|go somewhere|go somewhere else|go somewhere new|go anywhere|take me somewhere new|jump anywhere|
        take me somewhere else|jump somewhere|teleport|roll the dice|roll a die|something completely different|your turn|you choose|you decide|
        go wild|be creative|whatever you want|whatever you like|say whatever you like|sample|sample something|sample the prior|
        draw from the prior|draw a sample|inspire me|amaze me|shock me|anything|anything at all|something|a sentence|give me a sentence|any sentence|pick one|pick something|choose one|choose something|whatever|go crazy|take me on a journey|somewhere|take me for a walk""",
    "again": """again|another|another one|one more|once more|next|next one|try again|do it again|do that again|one more time|more|another please|retry|
        give me another|give me another one|show me another|show me another one|a different one|different one|something else|another try|
        and another|and again""",
    "neighbours": """neighbours|neighbors|neighbour|neighbor|the neighbours|the neighbors|nearest|nearest neighbours|nearest neighbors|
        nearest neighbour|nearest neighbor|the nearest neighbours|the nearest neighbors|my neighbours|my neighbors|show neighbours|show neighbors|
        show me neighbours|show me neighbors|show the neighbours|show the neighbors|show me the neighbours|show me the neighbors|
        show nearest neighbours|show nearest neighbors|nearest sentences|closest|closest sentences|the closest sentences|nearby sentences|
        sentences nearby|what is near|what's near|what is nearby|what's nearby|what is around|what's around|what is around here|
        what's around here|who lives nearby|who is nearby|who's nearby|similar sentences|what is close|what is close by|what's close|
        what's close by|close sentences|what is near this|what's near this|what is near it|what's near it|what is next to this|
        what lies nearby|what lies around|look around|nearest examples|closest examples|list neighbours|list neighbors|
        show me what is near|show me what's near|show me what is nearby|show me what's nearby|around here|nearby|what else is around here|what else is around|what is around me|what's around me|what surrounds it|surroundings|the neighbourhood|neighbourhood|neighborhood|the neighborhood|who else is here|what else is here|what else is nearby|what else is near|show nearby sentences|show me nearby sentences|similar sentences nearby|who's around|who is around|who's near|who is near|who lives here|who lives near|closest ones|nearest ones|nearest one|closest one""",
    "share": """share|share this|share it|share link|share a link|copy link|copy the link|link|get link|get a link|give me a link|permalink|export|
        export this|export it|export json|export as json|save|save this|save it|save the conversation|download|download this|download it|
        import|import a conversation|load|load a conversation|how do i share this|how can i share this|how do i save this|can i save this""",
    "picture": """picture|a picture|draw|draw a digit|let me draw|i want to draw|can i draw|can i draw something|drawing|upload a picture|
        upload a photo|upload|send a picture|can i send a picture|can i upload a picture|can i upload a photo|upload an image|image|photo|
        send an image|can i send an image|can i upload an image|digits|draw something""",
}  # fmt: skip
# Messages of few words, all of them in a set, at least one of its keys: "who are my closest neighbours", "explain the last step".
BAGS = {
    "neighbours": ("neighbours neighbors neighbour neighbor nearest closest nearby",
                   "who what are is my the our its your sentences sentence examples ones one of this it around here show me list to see all near pls please"),
    "undo": ("undo revert", "the last my that this it step steps edit change message move one please pls previous latest your"),
    "redo": ("redo", "the last my that this it step steps edit change message move one please pls previous latest your"),
    "restart": ("restart reset", "the chat conversation walk everything all it this map whole please pls now"),
    "why": ("why explain", "the this that it is did you result answer sentence step last edit change happen though exactly do say happened numbers please pls but was your"),
    "help": ("help commands examples instructions", "me please pls can you what are the your show give some list all i need a more is available possible here how do use get with this an example could"),
}  # fmt: skip
SHOWING = {"show", "list", "give", "display"}
PHRASE_FILLERS = SHOWING | {"the", "a", "an", "my", "me", "please", "just", "now"}
PHRASES["flip"] = """flip the sentiment|flip it|flip|make it the opposite|the opposite|opposite|invert|invert it|invert the sentiment|
    reverse the sentiment|turn it around|opposite sentiment|the opposite sentiment|change the sentiment|change sentiment|switch the sentiment|
    make it opposite|say the opposite|turn the sentiment around|change the mood|flip the mood"""
PHRASE_OF = {
    " ".join(phrase.split()): kind for kind, phrases in PHRASES.items() for phrase in phrases.split("|")
}

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
    "number lumber member chamber numb closer closet loser clothes closest chose choose lose those nose "
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
