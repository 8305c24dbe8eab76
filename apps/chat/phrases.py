"""Whole messages of the chat's grammar, as tables: what is said word for word, politeness and punctuation taken off. No rules live here."""

PHRASES = {
    "undo": """undo|undo that|undo it|undo this|undo last|undo the last|undo the last step|undo last step|undo the last one|undo the last change|
        take that back|take it back|go back|back|step back|one step back|go one step back|a step back|go back one step|go back one|back one|
        go back a step|previous|previous one|the previous one|go to the previous one|previous sentence|the previous sentence|back to the previous one|
        revert|revert that|revert it|cancel|cancel that|oops|no not that|not that|not that one|ctrl z|ctrl+z|undo my last message|i take that back|
        go back to the previous sentence|go back to the last one|back to the last sentence|undo once|undo edit|undo the edit|undo change|undo the change|revert the last change|revert the last step|undo my last step|go back to the last sentence|undo the last message|back to where we were|back to where i was|return|go to the last sentence|back to the one before|the one before|go to the sentence before|back to previous|back to last""",
    "redo": """redo|step forward|one step forward|a step forward|take a step forward|go one step forward|go a step forward|go forward one step|step forward again|redo again|redo that|redo it|redo last|undo the undo|undo undo|ctrl y|ctrl+y|do it again after all|put it back|redo the step|redo step|
        redo the last step|redo last step|bring it back|unundo|redo once|redo the edit|bring back the last step|bring back the last one|bring that back""",
    "restart": """start over|restart|reset|start again|from the beginning|from the start|from the top|begin again|new conversation|
        clear|clear everything|clear all|start from scratch|start a new conversation|start fresh|back to the start of everything|
        start anew|new start|new walk|start a new walk|reset everything|reset all|wipe everything|begin anew|fresh start|new chat|
        start from the beginning|let's start over|forget everything|clear the conversation|clear the chat|reset the walk|go back to square one|undo all|undo everything|revert everything|revert all|delete everything|from zero|start from zero|back to zero|reset the chat|reset chat|clear chat|clear this|reset this|reset it|delete the conversation|new walk please|start all over|start all over again|start over again""",
    "flip": """do the opposite|do the opposite please|the other way around|the other way round|opposite please|show me the opposite|the opposite of this|the opposite of that|say the opposite of this|flip the sentiment|flip it|flip|make it the opposite|the opposite|opposite|invert|invert it|invert the sentiment|
    reverse the sentiment|turn it around|opposite sentiment|the opposite sentiment|change the sentiment|change sentiment|switch the sentiment|
    make it opposite|say the opposite|turn the sentiment around|change the mood|flip the mood""",
    "why": """why|how likely|how sure is it|what did you mean by that|what do you mean by that|what did you mean|tell me about it|tell me about this|tell me about that|tell me about this sentence|tell me more|tell me more about it|tell me more about this|why that|why this|why is that|why this one|why that one|why this sentence|why that sentence|why did it change|why did that happen|
        why not|how come|explain|explain that|explain this|explain it|explain yourself|explain the last step|what happened|what happened here|
        what did you do|what did you just do|how did you get that|how did you get there|how did you do that|how did you do it|reason|the reason|
        where did that come from|what do the numbers mean|what does that mean|what do these numbers mean|details|more details|show details|
        why did you do that|why did you say that|why did you change that|why did you change it|why nothing changed|why did nothing change|
        why didn't it change|why is it the same|how likely is it|how likely is that|how likely is this sentence|how sure are you|are you sure|
        numbers|show numbers|show me the numbers|the numbers|score|what changed|explain the numbers|why so|why is it like that|why did it become that|why is it that|why did it become this|why is this|why is it this|how did you do this|where does that come from|where does this come from|where does it come from|what is this sentence|what was that|what did that do|what just happened|why did it not change|why didn't you change it|what do you mean|tell me why|say why|explain why|explain the step|show me why|what is the kl|what is kl|what is nll|what does kl mean|what does nll mean|what are these numbers|what are the numbers|probabilities|show me the probabilities|show the probabilities|how are the numbers computed|how did you compute that|how do you know|how do you know that|how did you choose|why did you choose this|why did you choose that|how was that made|how come that|what did you do there|what did you do here""",
    "where": """where am i|where are we|where am i now|where are we now|current sentence|what is the current sentence|what's the current sentence|
        what is the sentence now|what's the sentence now|what was the sentence|repeat|repeat that|say that again|repeat the sentence|
        show me where i am|show the current sentence|status|what did i type|what did i say|which sentence is this|which sentence are we at|what is the sentence|what's the sentence|the sentence|current""",
    "help": """help|how to undo|how can i undo|can i undo|how do i redo|how to redo|how to go back|show me the map|show the map|the map|map|what is this map|what's this map|what is the map|what's the map|what is the map for|where's the map|where is the map|how do i use the map|what's the map for|what does the map show|explain the map|how do i read the map|
        how does the map work|what are the dots|what do the dots mean|what are these dots|what do the colors mean|who are you|who r u|what's your name|what is your name|whats your name|do you have a name|who made you|who made this|who wrote this|who built this|who am i talking to|what can u do|whats this|whats that|
        tell me about yourself|introduce yourself|help me|?|what can you do|what can i do|what can i say|what can i type|what can i ask|what can i ask you|how does this work|
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
        that's bad|leave it|leave it like that|leave it like this|leave it as it is|leave it at that|leave it be|leave it alone|keep it|keep it like that|keep it like this|keep it as it is|
        keep this|forget it|not so good|not good|not that good|not so bad|not that bad|stop it|i give up|i quit|stop that|that's not right|that is not right|that's fine|that is fine|it's fine|looks good|sounds good|good enough|that's enough|that's it|i don't like it|i do not like it""",
    "like": """more like it|what else could it say|what else could it be|what else could this be|something like this|something like that|something like it|something similar|similar|similar one|a similar one|more like this|more like that|
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
    "again": """again|same again|the same again|some more|another|another one|one more|once more|next|next one|try again|do it again|do that again|one more time|more|another please|retry|
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
    "share": """share|share link|share a link|copy link|copy the link|link|get link|get a link|give me a link|permalink|import a conversation|load|load a conversation|how do i import|how do i load a conversation""",
    "picture": """picture|a picture|draw|draw a digit|let me draw|i want to draw|can i draw|can i draw something|drawing|upload a picture|
        upload a photo|upload|send a picture|can i send a picture|can i upload a picture|can i upload a photo|upload an image|image|photo|
        send an image|can i send an image|can i upload an image|digits|draw something""",
}  # fmt: skip
# Whole messages of so many forms that a pattern says them shorter.
PATTERNS = {
    "share": r"(?:(?:how|where) (?:do|can|could|should) (?:i|we) |how to |(?:can|could) i )?(?:export|save|share|download|import)(?: it| this| (?:the |my |this )?(?:chat|conversation|walk|data|numbers|json))?(?: (?:as|to|in) (?:a )?(?:json|file|json file|link))?",
}  # fmt: skip
# Whole messages that are asked about: (hint, what is offered) → messages.
DOUBTS = {
    ("guess", "undo"): """i didn't mean that|i did not mean that|you misunderstood|you misunderstood me|you got me wrong|you got that wrong|not that one the other|the other one|no the other one|not this one|wrong one|the wrong one|wrong tense|wrong sentiment|wrong mood|wrong direction|wrong way|the wrong tense|the wrong way""",
    ("guess", "a bit further"): """a little more|a bit more|slightly more|a tad more|just a bit more|just a little more|little more|a touch more|not enough|that's not enough|not quite enough|much more|a lot more|lots more""",
    ("guess", "a bit back"): """a little less|a bit less|slightly less|a tad less|much less|a lot less""",
    ("neutral", ""): """tone it down|tone it down a bit|tone this down|tone that down|tone down|tone it down a little|soften it|soften it a bit|soften this|moderate it|calm it down|less extreme|make it less extreme|
        not so extreme|too extreme|dial it down|bring it down|less emotional|make it less emotional|too much|that's too much|that is too much|a bit much|a bit too much|way too much|turn it down|turn it down a bit|turn it up|turn it up a bit|dial it up""",
    ("task", ""): """zoom in|zoom out|how do i zoom|how do i zoom in|how to zoom|can i zoom|can i zoom in|zoom|zoom in on this|zoom in on it|zoom into the map|make the map bigger|bigger map|make it bigger""",
    ("which pair", ""): """go to|go from|walk from|walk to|from|to|between|towards|from here|from this|go between""",
}  # fmt: skip
DOUBT_OF = {" ".join(phrase.split()): doubt for doubt, listed in DOUBTS.items() for phrase in listed.split("|")}
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
PHRASE_OF = {
    " ".join(phrase.split()): kind for kind, phrases in PHRASES.items() for phrase in phrases.split("|")
}
