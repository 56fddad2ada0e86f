"""The hundred prompts of the model card's sheet."""

SHEET = """
a red heart; a blue heart; a green heart; a purple heart; a yellow star; a pink star; a blue circle;
an orange square; a teal triangle; a red balloon; a blue balloon; a green apple; a red apple;
a yellow car; a blue car; a purple book; an orange book; a brown circle; a black heart; a smiley;
a crying face; an angry face; a face with sunglasses; a winking face; a sleeping face; a dog; a cat;
a horse; a cow; a pig; a rabbit; a mouse; a lion; a tiger; a bear; a panda; a frog; a monkey;
an elephant; a penguin; an owl; a fox; a whale; a dolphin; an octopus; a turtle; a snake;
a butterfly; a bee; a unicorn; a dragon; a snail; a spider; a crab; a fish; a bird; a duck; a rose;
a tulip; a sunflower; a tree; a cactus; a mushroom; a banana; grapes; a lemon; a strawberry;
a watermelon; a pineapple; a pizza; a burger; a cake; a carrot; a doughnut; coffee; beer; sushi;
a skull; a robot; a ghost; an alien; a house; a castle; a bicycle; a bus; a rocket; a plane; a boat;
the sun; the moon; a rainbow; a snowman; fire; an umbrella; a guitar; a trophy; a gift; a key;
a crown; a green dragon
"""
PROMPTS = tuple(" ".join(prompt.split()) for prompt in SHEET.split(";"))
