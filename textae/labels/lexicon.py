"""What a single English word can be: closed classes and leanings listed here, inflection from `lemminflect`.

`kinds(word)` answers with a set of flags; which of them holds in a sentence is the business of `tense`.
Lists hold what a morphology cannot know: that "price" is hardly ever a verb, and that "love this place" is no command.
"""

from functools import cache, lru_cache

# Open classes.
NOUN, PLURAL, ADJ, ADV, VB, VBZ, VBD, VBN, VBG = (1 << i for i in range(9))
# Closed classes. SUBJ: "he"; PRON: "it", "you", "everyone"; OBJ: "him"; BE, HAVE, DO, MODAL: their finite forms only.
DET, SUBJ, PRON, OBJ, PREP, CONJ, SUB, WH, BE, HAVE, DO, MODAL, TO, NEG = (1 << i for i in range(9, 23))
# Marks and leanings. EQUAL: past = base ("put"); STATIVE: "love it" drops "I"; SAYING: takes a clause ("think").
# WEAK: a verb only right after a pronoun ("they staff"); PROPER: set by `tense` on a name.
END, COMMA, QUOTE, OPEN, CLOSE, INTJ, TIME, EQUAL, STATIVE, SAYING, THIRD, NAME, WEAK, PROPER = (
    1 << i for i in range(23, 37)
)

AUXILIARY = BE | HAVE | DO | MODAL
NOMINAL = NOUN | SUBJ | PRON | OBJ
VERB = VB | VBZ | VBD | VBN | VBG

_CLOSED = {
    DET: """the a an my your his her its our their no every any some these those this that each another all both half such whose
        enough few many several most more less much one other""",
    SUBJ: "i he she we they",
    PRON: """you it there everyone everybody someone somebody anyone anybody nobody everything something anything nothing none
        one this that these those all both some most many few several others another neither either each half half mine yours
        hers ours theirs y'all ya no-one ones more less much""",
    OBJ: "me him us them myself yourself himself herself itself ourselves yourselves themselves her each-other",
    PREP: """of in on at by for with from into onto about over under between through during without within against among around
        near behind beyond despite except off toward towards upon via per besides inside outside throughout across along above
        below like unlike past than plus out up down as after before since until till regarding including beside amid
        versus vs alongside worth""",
    CONJ: "and but or nor so yet & plus",
    SUB: """because if when while although though unless until till since as after before once whenever wherever whereas than
        that whether lest like""",
    WH: "who what which where when why how whom whose whatever whoever whichever",
    BE: "am is are was were 's 're 'm ai",
    HAVE: "have has had 've 'd 's",
    DO: "do does did",
    VB: "do",
    MODAL: "will would can could should shall may might must ca wo 'll 'd ought wil",
    TO: "to",
    NEG: "not n't never",
    END: ". ! ? ; : … | *",
    COMMA: ", -- — – -",
    QUOTE: "\" `` '' “ ” « » ` '",
    OPEN: "( [ {",
    CLOSE: ") ] }",
    INTJ: """oh ah hey hello hi wow ok okay well yes no yeah nope yep thanks please sorry bye goodbye welcome cheers alas hurray lol
        omg ugh yum yuck congratulations hmm ha damn gosh sure""",
    TIME: """yesterday today tomorrow tonight day week month year night morning evening afternoon weekend monday tuesday wednesday
        thursday friday saturday sunday summer winter spring autumn decade century nowadays hour minute noon midnight
        january february march april june july august september october november december everyday everytime
        christmas easter weeks months years days hours minutes times""",
    THIRD: """he she it everyone everybody someone somebody anyone anybody nobody everything something anything nothing one this
        that another neither either each no-one much""",
    ADV: """not n't never always often sometimes usually rarely seldom hardly barely scarcely just only even still already also
        really very too so quite rather ever almost again now then here there soon maybe perhaps else instead once twice not
        all both yet currently apparently seriously simply all pretty actually literally much more most less least well
        together alone away back probably certainly definitely absolutely totally finally recently immediately suddenly
        lately truly highly completely honestly overall however moreover meanwhile therefore otherwise first second third
        lastly thus hence anyway anyways definately def today tomorrow yesterday tonight everytime kinda sorta nearly
        generally normally constantly mostly especially ago far ahead forward soon about better long late early
        outside inside upstairs downstairs home abroad hopefully fortunately unfortunately luckily sadly obviously
        clearly basically easily quickly slowly exactly""",
    NAME: """mark bill grace rose will may jack pat rob sue chase drew grant frank peter harry nick mike chuck faith hope joy dean
        wade ray tony miles april june august dawn art guy skip buck cliff bob don jean ken dick wally sandy randy carol
        penny amber jimmy josh rod ted tom ann anna mary john ruby pearl sally""",
}
# Function words keep these flags and no others of a dictionary's ("do" the noun, "can" the tin); the rest keep both.
FUNCTION = DET | SUBJ | PRON | OBJ | PREP | CONJ | SUB | WH | BE | HAVE | DO | MODAL | TO | NEG
_PUNCTUATION = END | COMMA | QUOTE | OPEN | CLOSE
_VERB_TOO = frozenset("have like".split())
_ADVERB_TOO = frozenset(
    "pretty better long late early second first third well back home alone inside outside forward rather".split()
)

# Nouns and adjectives that a dictionary also knows as verbs, and that hardly ever are one in everyday text.
_NOUNS = frozenset(
    """service place time staff experience room price people minute job store man chicken lunch breakfast meal school star table
    sandwich side part party father mother husband buffet view course option wing portion dish value train phone bed front
    beef soup guy kid chip pool burger game class cake brown station team weekend bus cat dog summer winter word window group size
    weather egg floor clothes list fan shoe paper nail flower wall baby air case box age picture club cup plate eye face
    crust counter issue crab garden card head sense oil piece mouth color crowd type joint key shame glass center
    mess gift spring hole vacation war snow foot milk fault middle butter bank tree bottle bag rib sun curry traffic language
    bicycle bike chain thumb luck salt space veggie weight machine golf plane level bottom mac discount sport resort entree
    guest line shop coat ship noise section pleasure tour rock buck earth sugar bowl detail chair ticket tower product
    market truck desert fee corn boss sub bell sky taxi gas cashier king sight lake lobby season radio beach voice schedule
    horse blood pot fruit seat toast groupon account pen telephone state arm storm carpet pad massage message stomach
    condition mushroom crew holiday distance pressure pair boat knife towel shape garage bridge pet candy tire corner
    lamb sentence grandfather gun receipt spice trash veal bath ball budget brand fare purpose ranch site slot manicure texture
    diet stock pocket board ground mark grill refill gate alarm tax mushroom hash roof map clock barber blast mill host
    neighbor power plant jacket nurse slice skill craft queen nose farm snack picnic grass bunch basket moon pepper
    skin pride band package bomb position entrance bone adventure grease wood clerk contract couch pencil stone license humor
    clue purse action glove program button rope fashion charm court stamp pant wind mirror labor branch prize
    progress junk castle bargain ham vet soldier tool salary video coast speed bug tag neck page wheel finger leather fever
    pond beard ear drug volume track file jam cart scale bar hair house minute second cream ice sauce bread steak
    fries rice cheese salad pizza beer wine coffee tea food pie bean potato dinner reason trip way lot kind
    water fish book books hand hands door month family customer manager waiter waitress server owner lady hotel location
    restaurant bathroom parking menu item items decor style business company office car city town street area world life
    child fire wife friend sister brother doctor teacher question problem idea thing home mine number percent quality
    quarter quantity rate rates rest show-off letter police team silence interest trouble trouble parent patient
    temper temperature pattern lover pleasure honey bacon butter crumb sausage spa nails boots shirt
    hat garlic lemon lime onion pepper salsa sushi bartender chef bench event station animal
    evening morning night winter spoon fork knife motel castle pity fee sea mist frost thirst hunger wallpaper garden
    daughter afternoon country chance chocolate novel mechanic piano vegetable soul pilot adult closet attendant majority cherry
    economy incident army stranger terminal future olive expert secret
    mike nick jack pat ray dean art harry peter bob jean josh rod ted tony wally dick tom""".split()
)
# Adjectives that are verbs too, or adjectives and participles that are no sign of a past tense by themselves.
_ADJECTIVES = frozenset(
    """perfect better best right wrong fast hot slow fair free cool ready full busy short true own worse dirty long last top
    clean dry warm empty okay ok cold low gross quiet average light black white green brown yellow blue red prime total thin
    tough bottom tender sour stale lame upset fancy smart fat single double clear major minor limited crisp intimate wet calm
    complex smooth rough fake blind awake absent wise firm exact gentle prompt safe even fine well close complete correct
    present mean square round dear elder elder ill else narrow loose tame neat level perfect cheap nice great good bad sweet
    overpriced overrated super dim sore""".split()
)
_ADJECTIVES_TOO = frozenset("sound express secret welcome separate duplicate live split waste trim".split())
# Participles that begin a fragment ("located in the mall", "disappointed again") and do not drop an "I".
_PARTICIPIAL = frozenset(
    """located based disappointed impressed surprised tired excited pleased satisfied amazed closed overpriced overrated recommended
    named situated marinated canned crushed shredded smoked breaded stewed done made cooked served seasoned prepared priced stuffed born built raised compared given shocked
    disgusted worried bored confused annoyed frustrated fried grilled baked delighted thrilled overcooked undercooked burnt
    hidden stuck crowded limited needed used lost gone broken known mixed packed loaded filled covered married
    well-priced roasted steamed underwhelmed overwhelmed voted rated blown""".split()
)
# Verbs whose bare form begins a statement without "I", not a command: "love this place", "hope to return".
_STATIVES = frozenset(
    """love hate hope wish guess want need prefer recommend appreciate doubt suppose adore dislike loathe miss agree know
    think mean understand assume bet""".split()
)
_SAYING = frozenset(
    """say think know believe hope guess tell feel see hear realize realise wish suppose assume mean bet doubt notice find remember
    forget understand imagine promise claim admit explain learn decide discover insist agree fear swear suggest wonder ask
    expect pretend show read prove""".split()
)
# The past form that is meant when another verb has it as its base: "saw" is hardly ever the verb of carpenters.
_PAST_FIRST = frozenset("saw found felt left fell lay wound ground bound bore thought smelt".split())
# Of verbs whose past equals the base, those that mean the present after "I" or a plural without a sign of time.
PRESENT_FIRST = frozenset(
    "let hurt cost bet fit cast upset rid wet spread rent lay feed burst broadcast forecast wed".split()
)
# Parts of "wanna" and "gonna", and words of which the dictionary knows too much or too little.
_PARTS = {
    "wan": VB | STATIVE,
    "gon": VBG,
    "snuck": VBD | VBN,
    "lit": VBD | VBN | ADJ,
    "bit": NOUN | VBD,
    "got": VBD | VBN,
    "hurt": VB | VBD | VBN | ADJ | EQUAL,
}
_PEOPLE = frozenset("people men women children police feet teeth mice geese folks staff wives clothes".split())
_NUMBERS = frozenset(
    "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand".split()
)


@cache
def _closed() -> dict[str, int]:
    flags: dict[str, int] = {}
    for flag, words in _CLOSED.items():
        for word in words.split():
            flags[word] = flags.get(word, 0) | flag
    return flags


@lru_cache(maxsize=100_000)  # more words than 250,000 review sentences have, and an end to memory
def kinds(word: str) -> int:
    """Flags of a lower-cased token; an unknown word is a noun, or what its ending says."""
    closed = _closed().get(word, 0)
    if closed & _PUNCTUATION or (closed & FUNCTION and word not in _VERB_TOO):
        return closed
    if closed & ADV and word not in _ADVERB_TOO:
        return closed
    if not any(c.isalpha() for c in word):
        return closed | (NOUN | ADJ | PLURAL if any(c.isdigit() for c in word) else END if len(word) > 1 else 0)
    return closed | _open(word)


def _open(word: str) -> int:
    from lemminflect import getAllInflections, getAllLemmas

    if word in _PARTS:
        return _PARTS[word]
    lemmas = getAllLemmas(word)
    flags = 0
    for lemma in lemmas.get("VERB", ()):
        forms = getAllInflections(lemma, "VERB")
        own = {tag for tag, values in forms.items() if word in values}
        if "VBD" in own and "VBN" not in forms:  # a regular verb: one entry for both
            own.add("VBN")
        if word == lemma and "VBD" in own:
            flags |= EQUAL
        flags |= sum({"VB": VB, "VBZ": VBZ, "VBD": VBD, "VBN": VBN, "VBG": VBG}.get(tag, 0) for tag in own)
        if lemma in _STATIVES and word == lemma:
            flags |= STATIVE
        if lemma in _SAYING:
            flags |= SAYING
    if flags & VB and flags & VBD and not flags & EQUAL:  # of two verbs
        flags &= ~(VB if word in _PAST_FIRST else VBD | VBN)
    if word in _PAST_FIRST:
        flags &= ~(VB | EQUAL)
    nouns = lemmas.get("NOUN", ())
    if nouns:
        flags |= NOUN | (PLURAL if word.endswith("s") and any(noun != word for noun in nouns) else 0)
    if "ADJ" in lemmas or word in _ADJECTIVES:
        flags |= ADJ
    if "ADV" in lemmas or (word.endswith("ly") and not flags & (VERB | NOUN)):
        flags |= ADV
    if word in _PEOPLE:
        flags |= NOUN | PLURAL
    if word in _NUMBERS:
        flags |= ADJ | NOUN | PLURAL
    if flags & VB and flags & NOUN and word not in _ADJECTIVES and word not in _ADJECTIVES_TOO:
        flags &= ~ADJ  # "dress", "waste": the dictionary is generous
    return _leaning(word, flags, set(nouns) & set(lemmas.get("VERB", ())))


def _leaning(word: str, flags: int, both: set[str]) -> int:
    """Take away what the word hardly ever is, and guess at words that no dictionary knows."""
    if word in ("best", "better", "worse"):
        flags &= ~NOUN
    if word in _NOUNS or flags & VBZ and both & _NOUNS:
        flags = flags & ~(VERB | STATIVE | SAYING | EQUAL | ADJ) | NOUN | (WEAK if flags & (VB | VBZ) else 0)
    elif word in _ADJECTIVES:
        flags = flags & ~(VB | VBZ | VBD | STATIVE) | ADJ | (WEAK if flags & (VB | VBZ) else 0)
    if flags:
        return flags
    if word.endswith("ed") and len(word) > 4:
        return VBD | VBN | ADJ
    if word.endswith("ing") and len(word) > 5:
        return VBG | NOUN
    return NOUN | (PLURAL if word.endswith("s") and not word.endswith("ss") else 0)


def is_participial(word: str) -> bool:
    """Whether a word in -ed or -en begins a fragment rather than a sentence without "I"."""
    return word in _PARTICIPIAL
