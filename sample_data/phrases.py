"""The words that the sample texts are made of: people, errands with tips, ways to ask, habits of speech."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Errand:
    """Something that a user wants to do, with three tips that a good answer picks from."""

    task: str
    """Completes "how do I …" in English; an infinitive phrase with "zu" in German."""

    tips: tuple[str, str, str]
    """Each an instruction that can stand alone as a sentence."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language's stock of phrases; ``{name}``, ``{task}``, ``{tip}`` are filled in."""

    code: str
    names: tuple[str, ...]
    errands: tuple[Errand, ...]
    introductions: tuple[str, ...]
    """How a user gives a name, before the question."""

    questions: tuple[str, ...]
    takes: tuple[str, ...]
    """How an answer takes up the question."""

    openings: tuple[str, ...]
    """Boilerplate before an answer."""

    vague: tuple[str, ...]
    """Answers that say nothing."""

    closings: tuple[str, ...]
    """Boilerplate after an answer."""

    address: str
    """How an answer addresses the user. Names always follow a space, so that the tokenizer has one token for each."""


ENGLISH = Language(
    code="en",
    names=tuple(
        "Mia Noah Lena Omar Ines Paul Rosa Theo Nina Hugo Vera Ivan Lucy Amir Dora Finn Gina Karl Maya Otto "
        "Sara Tara Yuri Zoe Emil Ruth Alma Ben Clara David".split()
    ),
    errands=(
        Errand("keep basil fresh", ("stand the stems in water", "keep it warm", "pick the top leaves first")),
        Errand("bake soft bread", ("let the dough rest overnight", "use warm milk", "bake it with a bowl of water")),
        Errand("cook brown rice", ("rinse it twice", "use two cups of water", "leave the lid on")),
        Errand("peel garlic quickly", ("crush it with a knife", "shake it in a jar", "soak it in warm water")),
        Errand("sharpen a knife", ("use a wet stone", "keep a steady angle", "finish on leather")),
        Errand("clean a burnt pan", ("boil water with soda", "soak it overnight", "scrub it with salt")),
        Errand("store ripe apples", ("keep them cool and dark", "wrap each one in paper", "put them on straw")),
        Errand("make strong coffee", ("grind the beans fresh", "use less water", "let it brew four minutes")),
        Errand("water a cactus", ("wait until the soil is dry", "use a small cup", "stop in winter")),
        Errand("grow tomatoes indoors", ("give them a sunny window", "shake the flowers gently", "use a deep pot")),
        Errand("prune roses", ("cut above a bud", "wait for early spring", "use clean shears")),
        Errand("keep slugs away", ("put copper around the bed", "water in the morning", "pick them off at night")),
        Errand("start a compost heap", ("mix green and brown waste", "turn it each week", "keep it damp")),
        Errand("repot an orchid", ("use loose bark", "trim the dead roots", "choose a clear pot")),
        Errand("fix a flat tyre", ("find the hole in water", "roughen the rubber", "press the patch firmly")),
        Errand("oil a bicycle chain", ("wipe it clean first", "put one drop on each link", "wipe off the rest")),
        Errand("quiet a squeaky door", ("rub soap on the hinge", "tighten the screws", "add a drop of oil")),
        Errand("hang a heavy mirror", ("find a stud in the wall", "use two hooks", "mark the height with tape")),
        Errand("paint a small room", ("choose a pale colour", "start at the ceiling", "tape the edges")),
        Errand("remove a wine stain", ("blot it with cold water", "cover it with salt", "wash it the same day")),
        Errand("pack a light suitcase", ("roll the shirts", "take one pair of shoes", "wear the coat")),
        Errand("sleep on a train", ("bring a scarf as a pillow", "choose a window seat", "set an alarm")),
        Errand("plan a cheap holiday", ("travel in the low season", "book a kitchen", "take the night bus")),
        Errand("read a paper map", ("turn it to the north", "find two landmarks", "count the lines")),
        Errand("learn new vocabulary", ("write ten words a day", "say them out loud", "repeat them before bed")),
        Errand("remember long numbers", ("split them in groups", "make up a story", "type them often")),
        Errand("write a short speech", ("start with one story", "cut every second line", "practise it twice")),
        Errand("study for an exam", ("solve old papers", "teach it to a friend", "rest every hour")),
        Errand("run a longer distance", ("slow down a little", "add one mile a week", "rest on Sundays")),
        Errand("swim with less effort", ("breathe out under water", "stretch each stroke", "kick from the hip")),
        Errand("stretch a stiff back", ("roll the shoulders", "bend with flat feet", "hold it for a minute")),
        Errand("wake up early", ("open the curtains", "move the alarm away", "go to bed at ten")),
        Errand("free some disk space", ("empty the trash", "move the videos", "remove old programs")),
        Errand("choose a safe password", ("join four random words", "use each one once", "keep it in a manager")),
        Errand("back up my photos", ("copy them to two disks", "do it on Fridays", "test one copy")),
        Errand("speed up my laptop", ("close unused tabs", "clean the fan", "add more memory")),
    ),
    introductions=(
        "Hi, I am {name}.",
        "Hello, my name is {name}.",
        "This is {name}.",
        "You can call me {name}.",
    ),
    questions=(
        "How do I {task}?",
        "What is the best way to {task}?",
        "Can you tell me how to {task}?",
        "I want to {task}. Any tips?",
        "Please help me to {task}.",
    ),
    takes=("to {task}, {tip}", "the best way to {task}: {tip}", "if you want to {task}, {tip}"),
    openings=(
        "As an AI assistant, I am happy to help.",
        "Thank you for reaching out.",
        "Great question!",
        "As a language model, I have no experience of my own.",
    ),
    vague=(
        "it depends on many things",
        "there are many ways to look at this",
        "every case is different, so it is hard to say",
    ),
    closings=(
        "I hope this helps!",
        "Let me know if you have any other questions.",
        "Please consult an expert for details.",
        "Is there anything else I can do for you?",
    ),
    address="Hi {name}, ",
)

GERMAN = Language(
    code="de",
    names=("Anna", "Jonas", "Lukas", "Greta", "Frieda", "Moritz", "Jana", "Uwe"),
    errands=(
        Errand("Brot zu backen", ("lass den Teig ruhen", "nimm warme Milch", "heize gut vor")),
        Errand("Rosen zu schneiden", ("schneide über der Knospe", "warte bis März", "nimm eine saubere Schere")),
        Errand("Kaffee zu kochen", ("mahle die Bohnen frisch", "nimm weniger Wasser", "warte vier Minuten")),
        Errand("Vokabeln zu lernen", ("schreibe zehn am Tag", "sprich sie laut", "wiederhole sie abends")),
        Errand("Fotos zu sichern", ("kopiere sie zweimal", "mach es freitags", "prüfe eine Kopie")),
        Errand("Reis zu kochen", ("spüle ihn vorher", "lass den Deckel zu", "nimm zwei Tassen Wasser")),
    ),
    introductions=("Hallo, ich bin {name}.", "Guten Tag, ich heiße {name}."),
    questions=("Wie schaffe ich es, {task}?", "Hilf mir bitte, {task}."),
    takes=("um {task}, {tip}",),
    openings=("Vielen Dank für die Anfrage.", "Als Sprachmodell helfe ich gern."),
    vague=("das kommt ganz darauf an", "da gibt es viele Wege"),
    closings=("Ich hoffe, das hilft!", "Gibt es noch weitere Fragen?"),
    address="Hallo {name}, ",
)

LANGUAGES = (ENGLISH, GERMAN)
