// The basic flow by discord.js, for test_third_library.py: answers /imagine, a button and a modal.
// Its folder of node_modules, the stand-in's address and the token come from the environment.
const { createRequire } = require("node:module");
const {
  ActionRowBuilder, AttachmentBuilder, ButtonBuilder, ButtonStyle, Client, ContainerBuilder,
  GatewayIntentBits, LabelBuilder, MediaGalleryBuilder, MessageFlags, ModalBuilder,
  SlashCommandBuilder, TextDisplayBuilder, TextInputBuilder, TextInputStyle,
} = createRequire(process.env.WIRE_NODE)("discord.js");

const picture = Buffer.from(process.env.WIRE_PICTURE, "hex");
const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages],
  rest: { api: process.env.WIRE_API.replace("/v10", ""), cdn: process.env.WIRE_CDN },
});

function card(text) {
  const box = new ContainerBuilder()
    .addTextDisplayComponents(new TextDisplayBuilder().setContent(text))
    .addMediaGalleryComponents(
      new MediaGalleryBuilder().addItems({ media: { url: "attachment://picture.png" } }),
    );
  const button = new ButtonBuilder()
    .setCustomId("again:1").setLabel("Again").setStyle(ButtonStyle.Primary);
  box.addActionRowComponents(new ActionRowBuilder().addComponents(button));
  return {
    flags: MessageFlags.IsComponentsV2,
    components: [box],
    files: [new AttachmentBuilder(picture, { name: "picture.png" })],
  };
}

client.on("interactionCreate", async (asked) => {
  if (asked.isChatInputCommand()) {
    await asked.deferReply();
    await asked.editReply(card(`${asked.options.getString("prompt")} for ${asked.user.username}`));
  } else if (asked.isButton()) {
    const text = new TextInputBuilder().setCustomId("more").setStyle(TextInputStyle.Short);
    const label = new LabelBuilder().setLabel("More").setTextInputComponent(text);
    await asked.showModal(
      new ModalBuilder().setCustomId("form").setTitle("More").addLabelComponents(label),
    );
  } else if (asked.isModalSubmit()) {
    const content = `more ${asked.fields.getTextInputValue("more")}`;
    await asked.reply({ content, flags: MessageFlags.Ephemeral });
  }
});

client.on("messageCreate", async (message) => {
  if (message.author.bot) return;
  const other = Buffer.concat([picture, Buffer.from("x")]);
  const files = [{ attachment: other, name: "x.png" }];
  const sent = await message.channel.send({ content: "seen", files });
  await sent.react("🎨");
  await sent.edit("seen and edited");
  await message.author.send("for you");
});

client.once("clientReady", async () => {
  const command = new SlashCommandBuilder().setName("imagine").setDescription("Paints a picture")
    .addStringOption((option) => option.setName("prompt").setDescription("What").setRequired(true));
  await client.application.commands.set([command]);
});

client.login(process.env.WIRE_TOKEN);
