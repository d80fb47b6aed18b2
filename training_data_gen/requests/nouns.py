"""Things that people want seen, in domains within which one can stand for another; places; plurals."""

from __future__ import annotations

import functools
import re

from training_data_gen.requests.names import _listed

#: Objects of one domain make sense in each other's sentences. Includes the objects of the handwritten requests.
DOMAINS = {
    "wild animal": _listed("""
        lynx, wolf, bear, deer, fawn, red deer, roe deer, fallow deer, giraffe, elephant, zebra, tiger, lion, leopard,
        cheetah, hyena, rhino, rhinoceros, hippo, hippopotamus, kangaroo, koala, wombat, fox, red fox, raccoon, badger,
        hedgehog, squirrel, hare, rabbit, beaver, otter, moose, elk, bison, buffalo, antelope, gazelle, warthog,
        wild boar, monkey, chimpanzee, gorilla, orangutan, lemur, panda, polar bear, jackal, coyote, mongoose, meerkat,
        weasel, marten, mole, bat, rat, mouse, vole, chipmunk, porcupine, armadillo, sloth, anteater, tapir, camel,
        llama, alpaca, reindeer, ibex, chamois, bobcat, puma, jaguar, snow leopard, wolverine, skunk, opossum,
        tortoise, lizard, iguana, gecko, chameleon, snake, viper, crocodile, alligator, frog, toad, newt, salamander,
        animal, mammal, quadruped, predator, rodent, reptile, poacher"""),
    "farm animal": _listed("""
        cow, horse, sheep, goat, pig, piglet, donkey, mule, chicken, hen, rooster, duck, goose, turkey, calf, lamb,
        bull, ox, pony, foal, cattle, dog, cat, puppy, kitten, guinea pig, hamster, ferret, quail, ostrich, yak,
        water buffalo, sheepdog, livestock, poodle, beagle, labrador, husky, malamute, dalmatian, pug, corgi,
        chihuahua, greyhound, siamese cat, persian cat, bengal cat, ragdoll"""),
    "bird": _listed("""
        bird, penguin, owl, eagle, hawk, falcon, pigeon, sparrow, robin, crow, raven, magpie, parrot, seagull, swan,
        pelican, flamingo, stork, heron, crane bird, woodpecker, kingfisher, hummingbird, swallow, blackbird, finch,
        vulture, peacock, pheasant, puffin, albatross, cormorant, osprey, kite, blue tit, nuthatch, seabird"""),
    "sea animal": _listed("""
        whale, dolphin, shark, jellyfish, sardine, anchovy, mackerel, salmon, trout, carp, tuna, cod, eel, ray, turtle,
        sea turtle, crab, lobster, shrimp, octopus, squid, starfish, sea urchin, coral, seahorse, goldfish, clownfish,
        zebrafish, fish, plankton, seal, sea lion, walrus, orca, manta ray, oyster, mussel, scallop, catfish, perch"""),
    "insect": _listed("""
        bee, wasp, honeybee, bumblebee, hornet, ant, butterfly, moth, dragonfly, ladybird, ladybug, beetle, mosquito,
        fly, fruit fly, olive fruit fly, aphid, whitefly, thrips, grasshopper, locust, cricket, spider, mite, tick,
        caterpillar, cockroach, termite, insect, larva, earwig, stink bug, mantis"""),
    "person": _listed("""
        person, pedestrian, cyclist, runner, swimmer, dancer, skier, snowboarder, climber, skater, skateboarder, surfer,
        rower, gymnast, boxer, wrestler, judoka, fencer, archer, goalkeeper, football player, basketball player,
        tennis player, golfer, athlete, pole vaulter, weightlifter, yogi, rider, jockey, patient, nurse, surgeon,
        worker, construction worker, warehouse worker, welder, miner, firefighter, police officer, soldier, driver,
        passenger, motorcyclist, child, adult, baby, infant, toddler, teenager, student, teacher, customer, employee,
        shopper, cashier, waiter, cook, chef, barber, farmer, gardener, hiker, tourist, spectator, conductor,
        violinist, pianist, drummer, guitarist, singer, presenter, actor, operator, claimant, curler, calligrapher,
        sumo wrestler, bystander, intruder, visitor, lifeguard, human"""),
    "vehicle": _listed("""
        car, bus, truck, van, motorcycle, motorbike, bicycle, scooter, e-scooter, tram, train, locomotive, taxi,
        ambulance, fire engine, police car, tractor, trailer, forklift, excavator, bulldozer, crane, dumper, digger,
        cement mixer, pickup, suv, sedan, minibus, camper, rickshaw, auto rickshaw, boat, ship, ferry, sailing boat,
        yacht, canoe, kayak, vessel, tanker, container ship, cargo ship, fishing boat, airplane, aircraft, helicopter,
        glider, drone, hot air balloon, vehicle, quad bike, snowmobile, golf cart, combine harvester, wagon, cycle"""),
    "street": _listed("""
        traffic light, traffic sign, stop sign, traffic cone, barrier, lamp post, street light, fire hydrant, bench,
        parking meter, mailbox, bollard, manhole, pothole, billboard, guard rail, license plate, zebra crossing,
        bus stop, trash can, dustbin, graffiti, utility pole, advertising board, road work sign, speed bump"""),
    "food": _listed("""
        apple, banana, orange, pear, lemon, lime, mango, pineapple, peach, plum, cherry, strawberry, raspberry,
        blueberry, grape, melon, watermelon, kiwi, papaya, pomegranate, avocado, tomato, cucumber, carrot, potato,
        onion, garlic, pepper, chilli, broccoli, cauliflower, cabbage, lettuce, spinach, eggplant, zucchini, pumpkin,
        radish, beetroot, corn, pea, bean, mushroom, olive, walnut, hazelnut, almond, peanut, egg, bread, bagel, bun,
        croissant, pretzel, donut, muffin, pancake, waffle, cake, cookie, pizza, frozen pizza, burger, sandwich,
        hot dog, taco, burrito, sushi, ramen, dumpling, pasta, lasagna, risotto, paella, kebab, falafel, salad, soup,
        steak, sausage, bacon, cheese, yogurt, ice cream, chocolate, candy bar, chip bag, soda can, kimchi, bibimbap,
        bulgogi, curry, noodle dish, rice dish, fruit, vegetable, espresso, cappuccino, latte, croquette, omelette"""),
    "plant": _listed("""
        flower, rose, tulip, lily, daisy, sunflower, orchid, dandelion, clover, ryegrass, daffodil, lavender, poppy,
        iris, carnation, violet, oak, beech, birch, maple, pine, spruce, willow, palm, cactus, fern, moss, ivy, bamboo,
        thistle, nettle, houseplant, weed, maize, wheat, barley, rice plant, soybean, sugar beet, cotton, rapeseed,
        tree, fallen tree, tree crown, bush, shrub, leaf, branch, stem, invasive plant, ragweed, hogweed, grapevine"""),
    "household": _listed("""
        chair, sofa, couch, armchair, table, desk, bed, wardrobe, cupboard, bookshelf, drawer, lamp, rug, carpet,
        curtain, mirror, vase, clock, pillow, blanket, cup, mug, plate, bowl, glass, bottle, fork, knife, spoon, pan,
        pot, kettle, toaster, microwave, oven, refrigerator, dishwasher, washing machine, vacuum cleaner, sink,
        toilet, bathtub, toothbrush, towel, candle, broom, bucket, key, wallet, remote, umbrella, suitcase, backpack,
        handbag, box, tote, bag, toy, teddy bear, ball, book, pen, scissors, hair dryer, furniture"""),
    "electronics": _listed("""
        laptop, keyboard, mouse pad, monitor, tablet, smartphone, cell phone, television, camera, headphones, printer,
        router, charger, cable, usb stick, battery, microphone, loudspeaker, projector, game controller, smart watch,
        hard disk, graphics card, circuit board, capacitor, resistor, connector, light bulb, power strip"""),
    "clothing": _listed("""
        t-shirt, dress, jeans, jacket, shirt, blouse, skirt, coat, sweater, hoodie, suit, tie, scarf, hat, cap, glove,
        sock, shoe, sneaker, boot, sandal, high heel, slipper, belt, bra, swimsuit, bathrobe, sunglasses, necklace,
        earring, ring, bracelet, helmet, safety vest, hard hat, mask, goggles, ear muffs, harness, apron"""),
    "tool": _listed("""
        bolt, nut, washer, screw, nail, hammer, screwdriver, wrench, pliers, saw, drill, chisel, file, clamp, ladder,
        shovel, rake, axe, paint roller, tape measure, spirit level, gear, bearing, spring, valve, pipe, hose, pump,
        pallet, insulator, gasket, rivet, bracket, hinge, handle, cable tie, fuse, o-ring, toolbox, wheelbarrow"""),
    "defect": _listed("""
        scratch, dent, pit, crack, spall, stain, rust spot, bubble, burr, flash, chip, hole, porosity, inclusion,
        corrosion, leak, loose bolt, missing screw, paint defect, textile defect, solder void, weld spatter, blister,
        delamination, wrinkle, misprint, discolouration, pinhole, scuff, contaminant, knot, wormhole, warp"""),
    "ground": _listed("""
        road, sidewalk, curb, grass, sky, building, wall, fence, vegetation, terrain, water, river, lake, sand, snow,
        ice, rock, soil, field, forest, meadow, roof, parking space, railway track, bridge, swimming pool, beach,
        runway, glacier, debris, wetland, burned area, flooded area, sandbank, sea, trail, path, lane, lane marking,
        pavement, gravel, puddle, bare patch, line marking, hedge, orchard, vineyard, solar panel, skylight, chimney,
        olive grove, almond grove, mangrove, mudflat, seagrass, floor, ceiling, stairs, drivable area, straw, crop"""),
    "organ": _listed("""
        liver, spleen, kidney, heart, lung, bladder, prostate, pancreas, stomach, left ventricle, aorta, thyroid,
        uterus, brain, tumour, oedema, polyp, lesion, plaque, bone, muscle, fat, gallbladder, colon, optic disc"""),
    "finding": _listed("""
        lung nodule, fracture, polyp, implant, filling, melanoma, nevus, pneumonia, tuberculosis, mass, calcification,
        cyst, pleural effusion, aneurysm, kidney stone, caries, ulcer, haemorrhage, cataract, glaucoma"""),
    "sports gear": _listed("""
        basketball, hoop, football, tennis ball, racket, golf ball, golf club, puck, stick, ski, ski pole, snowboard,
        surfboard, skateboard, baseball, baseball bat, frisbee, shuttlecock, dumbbell, barbell, yoga mat, goal post"""),
    "document": _listed("""
        invoice, receipt, delivery note, contract, letter, court order, passport, id card, driving licence, stamp,
        signature, form, ticket, barcode, price tag, logo, banknote, cheque, bank statement, envelope, postcard"""),
    "body part": _listed("hand, face, foot, eye, ear, head, knee, wrist, shoulder, spine, mouth, finger"),
    "scene": _listed("beach, mountain, city, forest, desert, office, kitchen, bedroom, bathroom, garage, airport"),
    "material": _listed("carpet, tile, hardwood, marble, glass, plastic, metal, paper, cardboard, textile, leather"),
    "instrument": _listed("guitar, ukulele, banjo, violin, cello, piano, drum, flute, trumpet, saxophone, harp, oboe"),
}  # fmt: skip

#: Alternatives between which a whole-image label decides; one set can stand for another of the same size.
ALTERNATIVES = tuple(
    _listed(line)
    for line in """
    ripe tomato, green tomato; fresh banana, overripe banana; open valve, closed valve; lego brick, duplo brick
    blurry photo, sharp photo; ripe field, unripe field; full bin, empty bin; full bin, half full bin, empty bin
    full bottle, empty bottle, broken bottle; genuine part, counterfeit part; open door, closed door
    clean dish, dirty dish; happy, sad, angry, surprised; sunny, cloudy, rainy; day, night; rain, fog, clear
    good weld, bad weld; empty seat, occupied seat; wet road, dry road; snow, ice, smooth road
    healthy leaf, diseased leaf; spam meme, normal photo; damaged parcel, intact parcel; sitting, standing, fallen
    rock, paper, scissors; real banknote, fake banknote; mask on, mask off; lights on, lights off
    raw meat, cooked meat; indoor, outdoor; fresh fish, spoiled fish; pass, fail; success, failure
    screen on, screen off; new tyre, worn tyre; fist, open palm, pointing finger; helmet, no helmet
    """.replace("\n", ";").split(";")
    if line.strip()
)

PLACES = _listed("""
    street, harbour, forest, airport, warehouse, parking lot, greenhouse, kitchen, supermarket, hospital, school yard,
    stadium, train station, building site, factory, farm, orchard, vineyard, desert, beach, swimming pool, gym, museum,
    library, tunnel, motorway, crossing, roundabout, city centre, village, garden, balcony, meadow, river, lake, zoo,
    national park, mountain road, ski slope, port, shipyard, mine, quarry, laboratory, workshop, assembly line, office,
    shopping mall, bakery, restaurant, canteen, bar, pharmacy, clinic, nursing home, kindergarten, playground, tennis
    court, running track, savanna, jungle, wetland, pasture, barn, stable, henhouse, fish farm, coral reef, sea floor,
    ferry, bus stop, metro station, airfield, car wash, petrol station, recycling plant, landfill, sawmill, paper mill,
    bottling plant, cleanroom, server room, living room, bedroom, bathroom, garage, basement, attic, rooftop, backyard,
    doorway, drive-through, checkout, store shelf, shop window, flower shop, flea market, concert hall, theatre""")

_IRREGULAR = {
    "child": "children", "person": "people", "mouse": "mice", "goose": "geese", "foot": "feet", "tooth": "teeth",
    "calf": "calves", "wolf": "wolves", "leaf": "leaves", "knife": "knives", "ox": "oxen", "larva": "larvae",
    "potato": "potatoes", "tomato": "tomatoes", "mango": "mangoes", "bookshelf": "bookshelves", "half": "halves",
    "nucleus": "nuclei", "mitochondrion": "mitochondria", "vertebra": "vertebrae", "shelf": "shelves", "loaf": "loaves",
    "police officer": "police officers", "cactus": "cacti",
}  # fmt: skip
_SAME = frozenset(
    _listed("""
    sheep, deer, cattle, fish, livestock, grass, sky, vegetation, terrain, water, sand, snow, ice, soil, debris, wheat,
    barley, maize, rapeseed, cotton, moss, ivy, bamboo, plankton, coral, furniture, scissors, jeans, pliers, goggles,
    headphones, sunglasses, ear muffs, stairs, graffiti, porosity, corrosion, delamination, discolouration, seagrass,
    straw, gravel, fat, muscle, bread, cheese, sushi, ramen, pasta, salad, bacon, chocolate, kimchi, bibimbap, bulgogi,
    rice, garlic, spinach, broccoli, lettuce, clover, ryegrass, lavender, manure, pneumonia, tuberculosis, glaucoma,
    caries, clothing, hair, skin, garlic, thrips, hardwood, marble, plastic, metal, paper, cardboard, textile, leather,
    moose, bison, salmon, trout, squid, shrimp, cod, tuna, carp, rugby, oedema, bone, happy, sad, angry, surprised""")
)


def plural(noun: str) -> str:
    """The plural of an object's name; of a mass noun the name itself."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    *before, last = noun.split(" ")
    if noun in _SAME or last in _SAME:
        return noun
    if last in _IRREGULAR:
        made = _IRREGULAR[last]
    elif last.endswith("fish"):
        made = last
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        made = last + "es"
    elif re.search(r"[^aeiou]y$", last):
        made = last[:-1] + "ies"
    else:
        made = last + "s"
    return " ".join([*before, made])


@functools.cache
def domains_of(noun: str) -> frozenset[str]:
    """The domains that a noun is listed in, none for an unknown one."""
    return frozenset(name for name, nouns in DOMAINS.items() if noun in nouns)


def is_mass(noun: str) -> bool:
    """Whether singular and plural are one word."""
    return plural(noun) == noun


def an(word: str) -> str:
    """The indefinite article that `word` wants."""
    first = re.split(r"[ -]", word, maxsplit=1)[0]
    if re.match(r"[A-Z]{2,}|[A-Z]\d|[A-Z]$", first) and not re.match(r"VAN|DETR|DINO|TOOD|CLIP|SAN", first):
        return "an" if first[0] in "AEFHILMNORSX" else "a"
    if re.match(r"(?:uni|unet|eu|use|one|uku|ute|util)", first.lower()):
        return "a"
    if re.match(r"8|1[18](?!\d)|hour", first.lower()):
        return "an"
    return "an" if first[:1].lower() in tuple("aeiou") else "a"
