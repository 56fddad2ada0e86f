"""Words that no caption holds: does the text encoder put them beside the thing that they mean?"""

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor
from torch.nn import functional

from .manifest import Row

# A word that no caption holds, and the thing it means.
SYNONYM_LIST = """
pup = dog; hound = dog; kitten = cat; feline = cat; stallion = horse; pony = horse; swine = pig;
hare = rabbit; serpent = snake; ape = monkey; vehicle = car; sedan = car; cottage = house;
aircraft = airplane; jet = airplane; yacht = sailboat; motorbike = motorcycle; novel = book;
textbook = book; blossom = cherry blossom; pine = evergreen tree; oak = deciduous tree; blaze =
fire; trousers = jeans; sneaker = running shoe; spectacles = glasses; violinist = violin; drums
= drum; pistol = water pistol; sword = crossed swords; bulb = light bulb; toadstool = mushroom;
maize = ear of corn; cookies = cookie; loaf = bread; espresso = hot beverage; wine = wine glass;
lager = beer mug; ocean = water wave; terrier = dog; poodle = dog; mutt = dog; tabby = cat; mare
= horse; colt = horse; piglet = pig; toad = frog; chimp = monkey; orca = whale; cobra = snake;
hornet = honeybee; dwelling = house; mansion = house; coupe = car; limousine = car; bonfire =
fire; parasol = umbrella; gown = dress; stool = chair; armchair = chair; mattress = bed; mallet
= hammer; cello = violin; steamship = ship; trout = fish; falcon = eagle; bunnies = rabbit
"""
SYNONYMS = dict(pair.split(" = ") for pair in " ".join(SYNONYM_LIST.split()).split("; "))
NUM_UNSEEN = 40


@torch.no_grad()
def pooled(pipeline: StableDiffusionPipeline, texts: list[str]) -> Tensor:
    """Unit vectors of the text encoder's pooled output, ``(texts, 256)``."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = torch.empty(len(texts), pipeline.text_encoder.config.hidden_size)
    for start in range(0, len(order), 128):
        chosen = order[start : start + 128]
        tokens = pipeline.tokenizer(
            [texts[i] for i in chosen],
            padding=True,
            truncation=True,
            max_length=pipeline.tokenizer.model_max_length,
            return_tensors="pt",
        )
        vectors[chosen] = pipeline.text_encoder(**tokens).pooler_output
    return functional.normalize(vectors, dim=-1)


def judge_words(pipeline: StableDiffusionPipeline, rows: list[Row]) -> dict[str, float | int | str]:
    """Synonyms that no caption holds: is the nearest known name the thing meant?"""
    known: dict[str, str] = {}
    for row in rows:
        for name in row.names:
            known.setdefault(name, row.label)
    spoken = {word for name in known for word in name.split()} | {
        tag for row in rows for tag in row.tags
    }
    unseen = [(word, thing) for word, thing in SYNONYMS.items() if word not in spoken]
    fresh = dict(unseen[:NUM_UNSEEN])
    names = list(known)
    nearest = (
        pooled(pipeline, [f"a {w}" for w in fresh]) @ pooled(pipeline, [f"a {n}" for n in names]).T
    ).argmax(1)
    got = [names[i] for i in nearest.tolist()]
    same = [
        thing in (name, known[name]) or thing in name.split() or thing in known[name].split()
        for thing, name in zip(fresh.values(), got, strict=True)
    ]
    for word, name, right in zip(fresh, got, same, strict=True):
        print(f"  {word}: {name}{'' if right else '  (not it)'}")
    return {"unseen words right": round(float(np.mean(same)), 3), "unseen words": len(same)}
