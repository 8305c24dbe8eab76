"""What a sentence is about: its content words, and how many of them two sentences share; English."""

from collections import Counter
from collections.abc import Collection

from textae.classifiers.features import lower_words

# Function words, and what tokenizers leave of contractions: they tell little of what a sentence is about, and edits of
# tense and polarity live on them.
STOP_WORDS = frozenset(
    """
    a an the this that these those some any each every all both either neither no none such same other another
    i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself
    we us our ours ourselves they them their theirs themselves who whom whose which what one ones
    am is are was were be been being have has had having do does did done doing will would shall should can could
    may might must ought let get gets got
    not never nor n't s t d m re ve ll don didn doesn isn aren wasn weren won wouldn shouldn couldn can't cannot
    don't didn't doesn't isn't aren't wasn't weren't won't wouldn't shouldn't couldn't haven't hasn't hadn't mustn't
    i'm i've i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll it's it'd it'll we're we've we'd
    we'll they're they've they'd they'll that's there's here's what's who's let's ain't
    and or but if then else so because as than while until when where why how whether though although since
    of at by for with without about against between into through during before after above below to from up down in out
    on off over under again once here there now just only very too also ever still yet even
    """.split()
)


def content_words(text: str, excluded: Collection[str] = ()) -> list[str]:
    """Lower-case words that are neither punctuation nor in `STOP_WORDS` nor `excluded`, in order.

    >>> content_words("The soup wasn't warm, and the bread was stale!", excluded=["stale"])
    ['soup', 'warm', 'bread']
    """
    split = lower_words(text)
    return [w for w in split if w not in STOP_WORDS and w not in excluded and any(c.isalnum() for c in w)]


def content_f1(source: str, edit: str, excluded: Collection[str] = ()) -> float:
    """F1 of the content words of two sentences as bags, 0 to 1; 1 where neither has any.

    >>> content_f1("The soup was warm.", "The soup is cold.")
    0.5
    """
    a, b = Counter(content_words(source, excluded)), Counter(content_words(edit, excluded))
    return 2 * (a & b).total() / (a.total() + b.total()) if a or b else 1.0
