"""What the OpenMoji sets show: every class with its pictograms and its other names.

Code points are those of OpenMoji 17 (single ones only: joined sequences would need Pillow's
optional Raqm). Code points from E000 on are OpenMoji's own additions. A pictogram belongs to one class, and a
class that is a kind of another one (parrot, bird) keeps its own, so that merging hyponyms loses nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thing:
    """One class of the OpenMoji sets.

    Attributes:
        name: COCO's name where COCO has the class.
        pictograms: code points, each a different drawing of the class.
        aliases: other names that a request may use.
    """

    name: str
    pictograms: tuple[int, ...]
    aliases: tuple[str, ...] = ()


def _things(table: str) -> tuple[Thing, ...]:
    """Parse lines of `name | hexadecimal code points | alias, alias`."""
    things = []
    for line in table.strip().splitlines():
        name, codes, aliases = (part.strip() for part in line.split("|"))
        points = tuple(int(code, 16) for code in codes.split())
        things.append(Thing(name, points, tuple(a.strip() for a in aliases.split(",") if a.strip())))
    return tuple(things)


#: Classes of COCO (its names) that have a pictogram. COCO's others (parking meter, baseball bat, oven, ...)
#: have none, or only one that shows a person using the thing (surfboard, snowboard).
COCO_THINGS = _things(
    """
    person         | 1F9CD 1F6B6 1F3C3             | human, man, woman, pedestrian, people
    bicycle        | 1F6B2                         | bike, cycle, push bike
    car            | 1F697 1F699 1F695 1F698       | automobile, auto, taxi
    motorcycle     | 1F3CD 1F6F5                   | motorbike, scooter, moped
    airplane       | 2708 1F6E9 1F6EB 1F6EC        | aeroplane, plane, aircraft, jet
    bus            | 1F68C 1F68D 1F68E             | coach, trolleybus
    train          | 1F686 1F682 1F684 1F688       | locomotive, railway, tram
    truck          | 1F69A 1F69B 1F6FB             | lorry, pickup, van
    boat           | 26F5 1F6A4 1F6F6 1F6A2        | ship, sailboat, canoe, vessel
    traffic light  | 1F6A6 1F6A5                   | traffic signal, stoplight
    stop sign      | 1F6D1                         | stop
    bird           | 1F426 1F54A 1F986 1F9A2       | dove, duck, swan
    cat            | 1F408 1F431                   | kitten, kitty, house cat
    dog            | 1F415 1F436 1F429 1F9AE       | puppy, hound, poodle
    horse          | 1F40E 1F434                   | pony, mare, stallion
    sheep          | 1F411 1F40F                   | ram, ewe, lamb
    cow            | 1F404 1F42E 1F402             | cattle, ox, bull
    elephant       | 1F418                         | tusker
    bear           | 1F43B 1F43C                   | panda, brown bear
    zebra          | 1F993                         |
    giraffe        | 1F992                         |
    backpack       | 1F392                         | rucksack, school bag
    umbrella       | 2602 1F302 26F1               | parasol
    handbag        | 1F45C 1F45D                   | purse
    tie            | 1F454                         | necktie
    suitcase       | 1F9F3 1F4BC                   | luggage, briefcase, baggage
    frisbee        | 1F94F                         | flying disc
    skis           | 1F3BF                         | ski
    sports ball    | 26BD 1F3C0 1F3C8 26BE 1F3D0   | ball, football, basketball, volleyball, baseball
    kite           | 1FA81                         |
    skateboard     | 1F6F9                         |
    tennis racket  | 1F3F8 1F3D3                   | racket, racquet, badminton racket
    bottle         | 1F37E E0CB E0CC               | water bottle
    wine glass     | 1F377 1F942                   | goblet, champagne glass
    cup            | 2615 1F964                    | mug, coffee cup
    fork           | 1F374                         | cutlery
    knife          | 1F52A 1F5E1                   | blade, dagger
    spoon          | 1F944                         | teaspoon
    bowl           | 1F963 1F35C 1F957             | soup bowl
    banana         | 1F34C                         |
    apple          | 1F34E 1F34F                   |
    sandwich       | 1F96A                         | toast
    orange         | 1F34A E0C0                    | tangerine, citrus
    broccoli       | 1F966                         |
    carrot         | 1F955                         |
    hot dog        | 1F32D                         | sausage
    pizza          | 1F355                         | pizza slice
    donut          | 1F369                         | doughnut
    cake           | 1F370 1F382 1F9C1             | cupcake, birthday cake
    chair          | 1FA91                         | seat
    couch          | 1F6CB E141                    | sofa, armchair
    potted plant   | 1FAB4                         | houseplant, pot plant
    bed            | 1F6CF                         |
    dining table   | E200                          | table
    toilet         | 1F6BD                         | lavatory
    tv             | 1F4FA 1F5A5                   | television, monitor, screen
    laptop         | 1F4BB                         | notebook computer
    mouse          | 1F5B1                         | computer mouse
    keyboard       | 2328                          | computer keyboard
    cell phone     | 1F4F1                         | mobile phone, smartphone, phone
    book           | 1F4D5 1F4D7 1F4D8 1F4D6       | textbook
    clock          | 1F570 23F0 1F550 1F556        | alarm clock, wall clock
    vase           | 1F3FA                         | amphora, urn
    scissors       | 2702                          | shears
    teddy bear     | 1F9F8                         | stuffed toy, plush toy
    toothbrush     | 1FAA5                         |
    """
)

#: Classes beyond COCO that people ask for.
OTHER_THINGS = _things(
    """
    eagle          | 1F985                         | hawk, bird of prey
    parrot         | 1F99C E010                    | macaw
    owl            | 1F989                         |
    penguin        | 1F427                         |
    flamingo       | 1F9A9                         |
    chicken        | 1F413 1F414                   | rooster, hen, cock
    fox            | 1F98A                         |
    lion           | 1F981                         |
    tiger          | 1F405 1F42F                   |
    monkey         | 1F412 1F435                   | ape, chimpanzee
    rabbit         | 1F407 1F430                   | bunny, hare
    pig            | 1F416 1F437                   | hog, piglet
    deer           | 1F98C E003                    | stag, doe
    fish           | 1F41F 1F420 E000              | goldfish
    turtle         | 1F422                         | tortoise
    butterfly      | 1F98B                         |
    bee            | 1F41D                         | honeybee
    running shoe   | 1F45F                         | sneaker, trainer, sports shoe
    boot           | 1F97E 1F462                   | hiking boot
    high heel      | 1F460                         | heeled shoe, stiletto
    helmet         | 26D1 E14A                     | rescue worker's helmet, hard hat, safety helmet, crash helmet
    flower         | 1F337 1F339 1F33B 1F33A 1F33C | tulip, rose, sunflower, blossom
    tree           | 1F333 1F332 1F334             | conifer, palm tree
    cactus         | 1F335                         | succulent
    mushroom       | 1F344 E0C8                    | fungus, toadstool
    strawberry     | 1F353                         |
    hamburger      | 1F354                         | burger, cheeseburger
    key            | 1F511 1F5DD                   | door key
    hammer         | 1F528                         |
    wrench         | 1F527                         | spanner
    screwdriver    | 1FA9B                         |
    guitar         | 1F3B8                         | electric guitar
    camera         | 1F4F7                         | photo camera
    light bulb     | 1F4A1                         | lamp, bulb
    glasses        | 1F453 1F576                   | spectacles, sunglasses, eyeglasses
    watch          | 231A                          | wristwatch
    helicopter     | 1F681                         | chopper
    tractor        | 1F69C                         | farm tractor
    fire extinguisher | 1F9EF                      | extinguisher
    """
)

THINGS = COCO_THINGS + OTHER_THINGS

#: Pictograms of no class: clutter behind classification images and occluders in front of people.
_CLUTTER_CODES = """
    2B50 1F340 1F341 1F342 1F388 1F381 1F4CE 1F4CC 1F512 1F50B 1F9F2 1F9ED 1F3C6 1F4CF 1F9F6 1F4A7
    1F525 2744 1F319 1F48E 1F41A 1F9C0 1F95A 1F968 1F4E6 1F6AA 1F9F9 1FAA3 1F6D2 1F3B2 1F9E9 1FAB5
"""
CLUTTER = tuple(int(code, 16) for code in _CLUTTER_CODES.split())

_BY_NAME = {thing.name: thing for thing in THINGS}


def thing(name: str) -> Thing:
    """The class of that name; KeyError if there is none (callers check names against `THINGS` first)."""
    return _BY_NAME[name]
