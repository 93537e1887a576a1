import { once } from "node:events";
import {
  ActionRowBuilder,
  ButtonBuilder,
  ButtonStyle,
  type ChatInputCommandInteraction,
  Events,
  FileUploadBuilder,
  type Interaction,
  LabelBuilder,
  type Message,
  MessageFlags,
  ModalBuilder,
  PermissionFlagsBits,
  Routes,
  SlashCommandBuilder,
  StringSelectMenuBuilder,
  TextChannel,
  TextInputBuilder,
  TextInputStyle,
} from "discord.js";
import { describe, expect, it } from "vitest";
import { startDiscord } from "../../sandbox/discord/stand-in.ts";
import { makeClient, makeRest, nextDispatch, openScene, type Scene } from "./discord-bot.ts";

const CLONE = new SlashCommandBuilder()
  .setName("clone")
  .setDescription("Speaks a text.")
  .addAttachmentOption((option) => option.setName("sample").setDescription("A voice.").setRequired(true))
  .addStringOption((option) => option.setName("text").setDescription("What to say.").setMaxLength(100))
  .addNumberOption((option) =>
    option.setName("speed").setDescription("How fast.").setMinValue(0.5).setMaxValue(2),
  )
  .addStringOption((option) =>
    option.setName("format").setDescription("Which.").addChoices({ name: "WAV", value: "wav" }),
  )
  .toJSON();

const TASKS = new SlashCommandBuilder()
  .setName("tasks")
  .setDescription("Tasks.")
  .addSubcommand((sub) =>
    sub
      .setName("cancel")
      .setDescription("Cancels one.")
      .addStringOption((option) =>
        option.setName("task").setDescription("Which.").setRequired(true).setAutocomplete(true),
      ),
  )
  .toJSON();

const SAMPLE = { name: "my voice.wav", data: new Uint8Array([1, 2, 3, 4]) };

function row(...buttons: [id: string, label: string][]): ActionRowBuilder<ButtonBuilder> {
  return new ActionRowBuilder<ButtonBuilder>().addComponents(
    buttons.map(([id, label]) =>
      new ButtonBuilder().setCustomId(id).setLabel(label).setStyle(ButtonStyle.Primary),
    ),
  );
}

/** A scene with the commands registered, a guild, a channel and a member. */
async function openStage(handle?: (interaction: Interaction) => Promise<unknown> | void) {
  const scene = await openScene(handle);
  await scene.client.application.commands.set([CLONE, TASKS]);
  const guildSeen = once(scene.client, Events.GuildCreate);
  const guild = scene.discord.addGuild({ name: "Aviary" });
  await guildSeen;
  const channelSeen = once(scene.client, Events.ChannelCreate);
  const channel = guild.addChannel({ name: "talk" });
  await channelSeen;
  return {
    ...scene,
    [Symbol.asyncDispose]: scene[Symbol.asyncDispose],
    guild,
    channel,
    member: guild.addMember(),
  };
}

function onCommand(handle: (interaction: ChatInputCommandInteraction) => Promise<unknown>) {
  return (interaction: Interaction) => (interaction.isChatInputCommand() ? handle(interaction) : undefined);
}

function textChannel(scene: Scene, id: string): TextChannel {
  const channel = scene.client.channels.cache.get(id);
  if (!(channel instanceof TextChannel)) throw new Error(`No text channel ${id}`);
  return channel;
}

const callback = (sent: { id: string; token: string }, type = 4) => ({
  route: Routes.interactionCallback(sent.id, sent.token),
  options: { body: { type, data: { content: "hi" } }, auth: false },
});

const button = (id: string) => ({ type: 2, style: 1, label: "x", custom_id: id });
const rows = (...ids: string[][]) => ids.map((part) => ({ type: 1, components: part.map(button) }));

describe("signing in", () => {
  it("logs discord.js in and shows it its guilds", async () => {
    await using discord = await startDiscord();
    const guild = discord.addGuild({ name: "Aviary", premiumTier: 2 });
    const channel = guild.addChannel({ name: "talk" });
    const client = makeClient(discord);
    const ready = once(client, Events.ClientReady);
    await client.login(discord.token);
    await ready;
    await discord.ready();
    expect(client.user?.id).toBe(discord.botUserId);
    expect(client.guilds.cache.get(guild.id)).toMatchObject({
      name: "Aviary",
      premiumTier: 2,
      available: true,
    });
    expect(client.channels.cache.get(channel.id)).toMatchObject({ name: "talk" });
    expect(client.guilds.cache.get(guild.id)?.members.me?.id).toBe(discord.botUserId);
    await client.destroy();
  });

  it("refuses a wrong token and intents that were not granted", async () => {
    await using discord = await startDiscord();
    const stranger = makeClient(discord);
    await expect(stranger.login("MTIz.abc.def")).rejects.toThrow(/token/i);
    await stranger.destroy();
    const curious = makeClient(discord, { intents: ["MessageContent", "Guilds"] });
    await expect(curious.login(discord.token)).rejects.toThrow(/disallowed intents/i);
    await curious.destroy();
    await expect(makeRest(discord, "wrong").get(Routes.user())).rejects.toMatchObject({ status: 401 });
  });

  it("resumes after a disconnect and replays what was missed", async () => {
    await using scene = await openStage();
    const resumed = once(scene.client, Events.ShardResume);
    const heard = once(scene.client, Events.MessageCreate);
    scene.discord.disconnectGateway();
    scene.member.say(scene.channel, "while you were out");
    const [message] = (await heard) as [Message];
    await resumed;
    expect(message.author.id).toBe(scene.member.id);
    expect(message.content).toBe("");
  });

  it("makes the bot identify again when the session is gone", async () => {
    await using scene = await openStage();
    const ready = once(scene.client, Events.ShardReady);
    scene.discord.disconnectGateway({ resumable: false });
    await ready;
    await scene.discord.ready();
    expect(scene.client.guilds.cache.get(scene.guild.id)?.available).toBe(true);
  });
});

describe("commands", () => {
  it("registers what equals says is the same", async () => {
    await using scene = await openStage();
    expect(scene.discord.commandWrites).toBe(1);
    const registered = await scene.client.application.commands.fetch({ withLocalizations: true });
    for (const sent of [CLONE, TASKS]) {
      const command = registered.find(({ name }) => name === sent.name);
      // As it went over the wire: builders leave members that are undefined, which equals counts as a difference.
      const wire = JSON.parse(JSON.stringify({ ...sent, integration_types: [0] })) as typeof sent;
      expect(command?.equals(wire as never)).toBe(true);
      expect(command?.equals({ ...wire, description: "Other." } as never)).toBe(false);
    }
    const ids = scene.discord.commands().map(({ id, version }) => [id, version]);
    await scene.client.application.commands.set([CLONE, TASKS]);
    expect(scene.discord.commands().map(({ id, version }) => [id, version])).toEqual(ids);
    const made = await scene.client.application.commands.create(
      { name: "one", description: "One." },
      scene.guild.id,
    );
    expect((await made.edit({ description: "Two." })).description).toBe("Two.");
    await made.delete();
    expect(scene.discord.commands()).toHaveLength(2);
    expect(scene.discord.commandWrites).toBe(5);
  });

  it("refuses commands that Discord refuses", async () => {
    await using scene = await openStage();
    const route = Routes.applicationCommands(scene.discord.applicationId);
    const send = (body: unknown) => scene.rest.post(route, { body });
    await expect(send({ name: "Loud", description: "x" })).rejects.toMatchObject({ code: 50035 });
    await expect(send({ name: "quiet" })).rejects.toMatchObject({ code: 50035 });
    await expect(send({ name: "x".repeat(33), description: "x" })).rejects.toMatchObject({ code: 50035 });
    const option = { type: 3, name: "a", description: "a" };
    const late = { ...option, name: "b", required: true };
    await expect(send({ name: "order", description: "x", options: [option, late] })).rejects.toThrow(
      /before non-required/,
    );
    await expect(scene.rest.get(Routes.applicationCommands("1"))).rejects.toMatchObject({ code: 10002 });
  });

  it("carries a command with a file to the bot, which answers, edits and attaches", async () => {
    const sizes: number[] = [];
    await using scene = await openStage(
      onCommand(async (interaction) => {
        await interaction.deferReply();
        const sample = interaction.options.getAttachment("sample", true);
        const bytes = await (await fetch(sample.url)).bytes();
        sizes.push(bytes.byteLength, interaction.attachmentSizeLimit);
        const files = [{ attachment: Buffer.from(bytes), name: "out.mp3", description: "Heard" }];
        await interaction.editReply({
          content: `${sample.name} ${interaction.options.getString("text")}`,
          files,
        });
        await interaction.followUp({ content: `<@${interaction.user.id}> done` });
      }),
    );
    const sent = scene.member.command(scene.channel, "clone", {
      sample: SAMPLE,
      text: "hello",
      format: "wav",
    });
    const answer = await sent.answered();
    expect(answer).toMatchObject({ type: 5, ephemeral: false });
    expect(answer.message?.loading).toBe(true);
    const reply = await sent.until((message) => message.attachments.length > 0);
    expect(reply).toMatchObject({
      content: "my_voice.wav hello",
      loading: false,
      channelId: scene.channel.id,
    });
    expect(reply.attachments[0]).toMatchObject({ filename: "out.mp3", size: 4, contentType: "audio/mpeg" });
    expect(scene.discord.attachmentBytes(reply.attachments[0]?.id ?? "")).toEqual(SAMPLE.data);
    expect(sizes).toEqual([4, 10 * 1024 * 1024]);
    expect(sent.versions().map(({ message }) => message.content)).toEqual(["", "my_voice.wav hello"]);
    const [followUp] = await untilFollowUps(sent, 1);
    expect(followUp?.pinged.users).toEqual([scene.member.id]);
    expect(followUp?.reference?.messageId).toBe(reply.id);
  });

  it("checks the member's input as the client would", async () => {
    await using scene = await openStage();
    const { member, channel } = scene;
    expect(() => member.command(channel, "nothing")).toThrow(
      "/nothing is not registered here; there are clone, tasks.",
    );
    expect(() => member.command(channel, "tasks")).toThrow(/needs a subcommand: cancel/);
    expect(() => member.command(channel, "clone")).toThrow(/needs the option "sample"/);
    const wrong = (options: object) => () => member.command(channel, "clone", { sample: SAMPLE, ...options });
    expect(wrong({ other: 1 })).toThrow(/has no option "other"/);
    expect(wrong({ text: "x".repeat(101) })).toThrow(/1 to 100 characters, received 101/);
    expect(wrong({ speed: 3 })).toThrow(/0.5 to 2, received 3/);
    expect(wrong({ format: "mp3" })).toThrow(/one of wav, received mp3/);
    expect(wrong({ sample: "text" })).toThrow(/takes a file/);
  });

  it("offers choices while the member types", async () => {
    await using scene = await openStage((interaction) => {
      if (!interaction.isAutocomplete()) return undefined;
      return interaction.respond([{ name: `Task ${interaction.options.getFocused()}`, value: "t1" }]);
    });
    const choices = await scene.member.autocomplete(scene.channel, "tasks cancel", "task", "4");
    expect(choices).toEqual([{ name: "Task 4", value: "t1" }]);
  });

  it("works in direct messages too", async () => {
    await using scene = await openStage(
      onCommand((interaction) => interaction.reply(interaction.inGuild() ? "no" : "dm")),
    );
    const sent = scene.member.command(scene.member.directChannel, "tasks cancel", { task: "1" });
    expect((await sent.answered()).message?.content).toBe("dm");
  });
});

async function untilFollowUps(
  sent: ReturnType<Awaited<ReturnType<typeof openStage>>["member"]["command"]>,
  count: number,
) {
  await new Promise<void>((resolve) => {
    const check = () => {
      if (sent.followUps().length < count) return;
      stop();
      resolve();
    };
    const stop = sent.onChange(check);
    check();
  });
  return sent.followUps();
}

describe("components", () => {
  it("lets members press, pick and fill in", async () => {
    await using scene = await openStage(async (interaction) => {
      if (interaction.isChatInputCommand()) {
        const select = new StringSelectMenuBuilder()
          .setCustomId("pick")
          .addOptions({ label: "A", value: "a" }, { label: "B", value: "b" });
        const selects = new ActionRowBuilder<StringSelectMenuBuilder>().addComponents(select);
        await interaction.reply({
          content: "choose",
          components: [row(["go", "Go"], ["ask", "Ask"]), selects],
        });
      } else if (interaction.isButton() && interaction.customId === "go") {
        await interaction.update({ content: "went", components: [] });
      } else if (interaction.isButton()) {
        const input = new TextInputBuilder()
          .setCustomId("name")
          .setStyle(TextInputStyle.Short)
          .setMaxLength(5);
        const label = new LabelBuilder().setLabel("Name").setTextInputComponent(input);
        await interaction.showModal(
          new ModalBuilder().setCustomId("form").setTitle("Form").addLabelComponents(label),
        );
      } else if (interaction.isStringSelectMenu()) {
        await interaction.deferUpdate();
        await interaction.editReply({ content: `picked ${interaction.values.join()}` });
      } else if (interaction.isModalSubmit()) {
        await interaction.reply({
          content: interaction.fields.getTextInputValue("name"),
          flags: "Ephemeral",
        });
      }
    });
    const { member, channel, discord } = scene;
    const shown = (await member.command(channel, "tasks cancel", { task: "1" }).answered()).message;
    if (!shown) throw new Error("There was no message");
    expect(shown.buttons.map(({ customId }) => customId)).toEqual(["go", "ask"]);
    expect(() => member.press(shown, "gone")).toThrow(/no button "gone"; there are go, ask/);
    expect(() => member.select(shown, "pick", ["c"])).toThrow(/has no option "c"/);
    const picked = member.select(shown, "pick", ["b"]);
    await picked.until(({ content }) => content === "picked b");
    expect((await picked.answered()).type).toBe(6);

    const asked = member.press(shown, "ask");
    expect(await asked.answered()).toMatchObject({ type: 9, modal: { custom_id: "form" } });
    expect(() => member.submitModal(asked, { name: "too long" })).toThrow(/1 to 5 characters/);
    expect(() => member.submitModal(asked, {})).toThrow(/1 to 5 characters/);
    const filled = member.submitModal(asked, { name: "Ann" });
    expect(await filled.answered()).toMatchObject({ type: 4, ephemeral: true, message: { content: "Ann" } });

    const went = await member.press(shown, "go").until(({ content }) => content === "went");
    expect(went).toMatchObject({ id: shown.id, buttons: [] });
    expect(discord.messages(channel).map(({ content }) => content)).toEqual(["went"]);
  });

  it("keeps ephemeral messages from everyone else", async () => {
    await using scene = await openStage(
      onCommand(async (interaction) => {
        await interaction.reply({
          content: "psst",
          components: [row(["go", "Go"])],
          flags: MessageFlags.Ephemeral,
        });
        await interaction.editReply("psst!");
      }),
    );
    const { member, channel, discord, guild, rest } = scene;
    const reply = await member
      .command(channel, "tasks cancel", { task: "1" })
      .until(({ content }) => content === "psst!");
    expect(reply.ephemeral).toBe(true);
    expect(discord.messages(channel)).toEqual([]);
    expect(discord.messages(channel, member)).toHaveLength(1);
    expect(() => guild.addMember().press(reply, "go")).toThrow(/sees no message/);
    const route = Routes.channelMessage(channel.id, reply.id);
    await expect(rest.get(route)).rejects.toMatchObject({ code: 10008, status: 404 });
    await expect(rest.patch(route, { body: { content: "x" } })).rejects.toMatchObject({ code: 10008 });
  });
});

describe("answers and tokens", () => {
  it("takes one answer, within three seconds", async () => {
    await using scene = await openStage();
    const { member, channel, rest, discord } = scene;
    const first = member.command(channel, "tasks cancel", { task: "1" });
    const { route, options } = callback(first);
    await rest.post(route, options);
    await expect(rest.post(route, options)).rejects.toMatchObject({ code: 40060, status: 400 });
    const late = member.command(channel, "tasks cancel", { task: "1" });
    const outcome = expect(late.answered()).rejects.toThrow("The application did not respond");
    discord.advance(3001);
    await outcome;
    await expect(rest.post(callback(late).route, options)).rejects.toMatchObject({
      code: 10062,
      status: 404,
    });
    await expect(rest.post(callback({ id: "1", token: "x" }).route, options)).rejects.toMatchObject({
      code: 10062,
    });
    const wrong = callback(member.command(channel, "tasks cancel", { task: "1" }), 7);
    await expect(rest.post(wrong.route, wrong.options)).rejects.toMatchObject({ code: 50035 });
  });

  it("lets a token work for fifteen minutes, and the bot's own token for longer", async () => {
    await using scene = await openStage();
    const { member, channel, rest, discord } = scene;
    const sent = member.command(channel, "tasks cancel", { task: "1" });
    const original = Routes.webhookMessage(discord.applicationId, sent.token);
    await expect(rest.get(original, { auth: false })).rejects.toMatchObject({ code: 10015 });
    const { route, options } = callback(sent);
    const answer = await rest.post(route, { ...options, query: new URLSearchParams("with_response=true") });
    expect(answer).toMatchObject({ resource: { type: 4, message: { content: "hi" } } });
    discord.advance(15 * 60_000 - 60_000);
    await rest.patch(original, { body: { content: "still" }, auth: false });
    discord.advance(60_001);
    const refused = { code: 50027, status: 401 };
    await expect(rest.patch(original, { body: { content: "x" }, auth: false })).rejects.toMatchObject(
      refused,
    );
    const id = sent.reply?.id ?? "";
    await rest.patch(Routes.channelMessage(channel.id, id), { body: { content: "by the bot" } });
    expect(sent.reply?.content).toBe("by the bot");
    await rest.delete(Routes.channelMessage(channel.id, id));
    expect(sent.reply?.deleted).toBe(true);
  });

  it("says what the reply looked like when waiting for it is given up", async () => {
    await using scene = await openStage(onCommand((interaction) => interaction.reply("as it is")));
    const sent = scene.member.command(scene.channel, "tasks cancel", { task: "1" });
    await sent.answered();
    await expect(sent.until(() => false, AbortSignal.abort())).rejects.toThrow(/as it is/);
  });

  it("expires attachment addresses after a day and refuses forged ones", async () => {
    await using scene = await openStage();
    const message = scene.member.say(scene.channel, "listen", [SAMPLE]);
    const url = message.attachments[0]?.url ?? "";
    expect((await fetch(url)).headers.get("content-type")).toBe("audio/x-wav");
    expect((await fetch(url.replace("hm=", "hm=0"))).status).toBe(404);
    scene.discord.advance(24 * 60 * 60 * 1000);
    expect((await fetch(url)).status).toBe(404);
    expect((await fetch(scene.discord.messages(scene.channel)[0]?.attachments[0]?.url ?? "")).status).toBe(
      200,
    );
  });
});

describe("messages", () => {
  const refused: [string, unknown, number, RegExp?][] = [
    ["nothing at all", {}, 50006],
    ["only blanks", { content: "  " }, 50006],
    ["text too long", { content: "x".repeat(2001) }, 50035, /content/],
    ["a number for text", { content: 5 }, 50035],
    ["an embed title too long", { embeds: [{ title: "x".repeat(257) }] }, 50035, /embeds\[0\].title/],
    ["a description too long", { embeds: [{ description: "x".repeat(4097) }] }, 50035],
    ["a footer too long", { embeds: [{ footer: { text: "x".repeat(2049) } }] }, 50035],
    [
      "26 fields",
      { embeds: [{ fields: Array.from({ length: 26 }, () => ({ name: "a", value: "b" })) }] },
      50035,
    ],
    ["a field without value", { embeds: [{ fields: [{ name: "a", value: "" }] }] }, 50035],
    ["a field value too long", { embeds: [{ fields: [{ name: "a", value: "x".repeat(1025) }] }] }, 50035],
    [
      "6,001 characters of embeds",
      { embeds: Array.from({ length: 3 }, () => ({ description: "x".repeat(2001) })) },
      50035,
      /6000/,
    ],
    ["a custom id too long", { content: "x", components: rows(["x".repeat(101)]) }, 50035, /custom_id/],
    ["six buttons", { content: "x", components: rows(["1", "2", "3", "4", "5", "6"]) }, 50035],
    ["six rows", { content: "x", components: rows(["1"], ["2"], ["3"], ["4"], ["5"], ["6"]) }, 50035],
    ["the same custom id twice", { content: "x", components: rows(["1"], ["1"]) }, 50035, /duplicated/],
    [
      "V2 with text",
      { content: "x", flags: 1 << 15, components: [{ type: 10, content: "x" }] },
      50035,
      /IS_COMPONENTS_V2/,
    ],
    ["V2 components without the flag", { components: [{ type: 10, content: "x" }] }, 50035],
    ["a file that was not sent", { content: "x", attachments: [{ id: "0", filename: "a.mp3" }] }, 50035],
    ["mentions both ways", { content: "x", allowed_mentions: { parse: ["users"], users: ["1"] } }, 50035],
    ["a reply to nothing", { content: "x", message_reference: { message_id: "1" } }, 50035],
  ];

  it("refuses what Discord refuses", async () => {
    await using scene = await openStage();
    const route = Routes.channelMessages(scene.channel.id);
    for (const [what, body, code, message] of refused) {
      const outcome = await scene.rest.post(route, { body }).catch((error: unknown) => error);
      expect(outcome, what).toMatchObject({ code, status: 400 });
      if (message) expect(String(outcome), what).toMatch(message);
    }
    await expect(scene.rest.get(Routes.channel("1"))).rejects.toMatchObject({ code: 10003 });
    await expect(scene.rest.get(Routes.guild("1"))).rejects.toMatchObject({ code: 10004 });
    await expect(scene.rest.get(Routes.channelMessage(scene.channel.id, "1"))).rejects.toMatchObject({
      code: 10008,
    });
    expect(scene.discord.messages(scene.channel)).toEqual([]);
  });

  it("applies the attachment list of an edit", async () => {
    await using scene = await openStage();
    const channel = textChannel(scene, scene.channel.id);
    const files = ["a.txt", "b.txt"].map((name) => ({ name, attachment: Buffer.from(name) }));
    const message = await channel.send({ content: "two", files });
    const [kept] = [...message.attachments.values()];
    await message.edit({ content: "still two" });
    expect(scene.discord.messages(channel)[0]?.attachments).toHaveLength(2);
    await message.edit({
      attachments: kept ? [kept] : [],
      files: [{ name: "c.txt", attachment: Buffer.from("c") }],
    });
    expect(scene.discord.messages(channel)[0]?.attachments.map(({ filename }) => filename)).toEqual([
      "a.txt",
      "c.txt",
    ]);
    await expect(message.edit({ content: "", attachments: [] })).rejects.toMatchObject({ code: 50006 });
  });

  it("never turns a Components V2 message back", async () => {
    await using scene = await openStage();
    const body = { flags: MessageFlags.IsComponentsV2, components: [{ type: 10, content: "panel" }] };
    const message = (await scene.rest.post(Routes.channelMessages(scene.channel.id), { body })) as {
      id: string;
    };
    const route = Routes.channelMessage(scene.channel.id, message.id);
    await expect(scene.rest.patch(route, { body: { flags: 0 } })).rejects.toMatchObject({ code: 50035 });
    await expect(scene.rest.patch(route, { body: { content: "x" } })).rejects.toMatchObject({ code: 50035 });
    const missing = { components: [{ type: 13, file: { url: "attachment://a.mp3" } }] };
    await expect(scene.rest.patch(route, { body: missing })).rejects.toMatchObject({ code: 50035 });
    await scene.rest.patch(route, { body: missing, files: [{ name: "a.mp3", data: Buffer.from("x") }] });
    expect(JSON.stringify(scene.discord.messages(scene.channel)[0]?.components)).toContain("/attachments/");
  });

  it("knows a repeated nonce", async () => {
    await using scene = await openStage();
    const channel = textChannel(scene, scene.channel.id);
    const first = await channel.send({ content: "paid", nonce: "n1", enforceNonce: true });
    const twice = await channel.send({ content: "paid", nonce: "n1", enforceNonce: true });
    expect(twice.id).toBe(first.id);
    expect(scene.discord.messages(channel)).toHaveLength(1);
  });

  it("records who was pinged", async () => {
    await using scene = await openStage();
    const channel = textChannel(scene, scene.channel.id);
    const role = scene.guild.addRole({ mentionable: true });
    const content = `@everyone <@${scene.member.id}> <@&${role.id}>`;
    const pinged = () => scene.discord.messages(channel).at(-1)?.pinged;
    const message = await channel.send(content);
    expect(pinged()).toEqual({ users: [scene.member.id], roles: [role.id], everyone: false });
    await channel.send({ content, allowedMentions: { parse: [] } });
    expect(pinged()).toEqual({ users: [], roles: [], everyone: false });
    await message.delete();
    const quiet = await channel.send("x");
    await quiet.edit(content);
    expect(pinged()).toEqual({ users: [], roles: [], everyone: false });
  });

  it("tells the bot of messages", async () => {
    await using scene = await openStage();
    const updated = nextDispatch(scene.discord, "MESSAGE_UPDATE");
    const deleted = nextDispatch(scene.discord, "MESSAGE_DELETE");
    const message = await textChannel(scene, scene.channel.id).send("own");
    await message.edit("edited");
    expect(await updated).toMatchObject({ id: message.id, content: "edited" });
    scene.member.delete(message);
    expect(await deleted).toMatchObject({ id: message.id });
  });
});

describe("limits", () => {
  it("refuses requests over the upload limit as a whole", async () => {
    await using scene = await openStage(
      onCommand(async (interaction) => {
        await interaction.deferReply();
        const send = (bytes: number) =>
          interaction.editReply({ files: [{ name: "a.mp3", attachment: Buffer.alloc(bytes) }] });
        await send(1000).then(
          () => interaction.editReply("unexpected"),
          async (error: { code: number; status: number }) => {
            await interaction.editReply(`${error.status} ${error.code}`);
          },
        );
      }),
    );
    scene.discord.setInteractionUploadLimit(1000);
    const sent = scene.member.command(scene.channel, "tasks cancel", { task: "1" });
    await sent.until(({ content }) => content === "413 40005");
    const channel = textChannel(scene, scene.channel.id);
    const send = () =>
      channel.send({ files: [{ name: "a.bin", attachment: Buffer.alloc(11 * 1024 * 1024) }] });
    await expect(send()).rejects.toMatchObject({ code: 40005, status: 413 });
    scene.guild.setPremiumTier(2);
    expect((await send()).attachments.size).toBe(1);
  });

  it("has discord.js wait and try again after a 429", async () => {
    await using scene = await openStage();
    const channel = textChannel(scene, scene.channel.id);
    const path = /\/messages$/;
    scene.discord.limitNext({ method: "POST", path, retryAfterMs: 20, times: 2 });
    scene.discord.limitNext({ method: "POST", path, retryAfterMs: 20, global: true });
    await channel.send("in the end");
    const statuses = scene.discord
      .requests()
      .filter(({ method, path: at }) => method === "POST" && path.test(at));
    expect(statuses.map(({ status }) => status)).toEqual([429, 429, 429, 200]);
  });

  it("fails, and cuts off, when told to", async () => {
    await using scene = await openStage();
    const route = Routes.channelMessages(scene.channel.id);
    const send = () => scene.rest.post(route, { body: { content: "x" } });
    scene.discord.failNext({ method: "POST", status: 403, code: 50013 });
    await expect(send()).rejects.toMatchObject({ status: 403, code: 50013 });
    scene.discord.failNext({ method: "POST", reset: true });
    await expect(send()).rejects.toThrow();
    expect(scene.discord.messages(scene.channel)).toHaveLength(0);
    scene.discord.failNext({ method: "POST", reset: "after" });
    await expect(send()).rejects.toThrow();
    expect(scene.discord.messages(scene.channel)).toHaveLength(1);
  });
});

describe("permissions", () => {
  it("refuses what the bot may not do in a channel", async () => {
    await using scene = await openStage();
    const { guild, rest } = scene;
    const deny = (denyBot: bigint) => Routes.channelMessages(guild.addChannel({ denyBot }).id);
    const send = (route: `/${string}`, body: unknown, files = 0) =>
      rest.post(route, {
        body,
        files: Array.from({ length: files }, () => ({ name: "a.txt", data: Buffer.from("a") })),
      });
    const [view, speak, embed, attach, history] = [1n << 10n, 1n << 11n, 1n << 14n, 1n << 15n, 1n << 16n];
    const text = { content: "x" };
    await expect(send(deny(view), text)).rejects.toMatchObject({ code: 50001, status: 403 });
    await expect(send(deny(speak), text)).rejects.toMatchObject({ code: 50013, status: 403 });
    await expect(send(deny(embed), { embeds: [{ title: "x" }] })).rejects.toMatchObject({ code: 50013 });
    await expect(send(deny(attach), text, 1)).rejects.toMatchObject({ code: 50013 });
    const forgetful = deny(history);
    const { id } = (await send(forgetful, text)) as { id: string };
    await expect(rest.patch(`${forgetful}/${id}`, { body: text })).rejects.toMatchObject({ code: 50001 });
    expect(await rest.get(forgetful)).toEqual([]);
    const weak = scene.discord.addGuild({ botPermissions: view });
    await expect(send(Routes.channelMessages(weak.addChannel().id), text)).rejects.toMatchObject({
      code: 50013,
    });
    const message = scene.member.say(scene.channel, "mine");
    const route = Routes.channelMessage(scene.channel.id, message.id);
    await expect(rest.patch(route, { body: text })).rejects.toMatchObject({ code: 50005 });
    await expect(rest.delete(route)).rejects.toMatchObject({ code: 50013 });
  });

  it("lets members close their direct messages", async () => {
    await using scene = await openStage();
    const { member, client, discord } = scene;
    const user = await client.users.fetch(member.id);
    await user.send("hello");
    expect(discord.directMessages(member).map(({ content }) => content)).toEqual(["hello"]);
    member.acceptDirectMessages(false);
    await expect(user.send("again")).rejects.toMatchObject({ code: 50007, status: 403 });
  });

  it("tells the bot when it or a channel goes", async () => {
    await using scene = await openStage();
    const channelGone = once(scene.client, Events.ChannelDelete);
    scene.channel.delete();
    await channelGone;
    await expect(scene.rest.get(Routes.channel(scene.channel.id))).rejects.toMatchObject({ code: 10003 });
    const guildGone = once(scene.client, Events.GuildDelete);
    scene.guild.removeBot();
    await guildGone;
    await expect(scene.rest.get(Routes.guild(scene.guild.id))).rejects.toMatchObject({ code: 10004 });
  });
});

describe("less common things", () => {
  const kinds = new SlashCommandBuilder()
    .setName("kinds")
    .setDescription("Every kind of option.")
    .addUserOption((option) => option.setName("user").setDescription("x"))
    .addRoleOption((option) => option.setName("role").setDescription("x"))
    .addChannelOption((option) => option.setName("channel").setDescription("x"))
    .addBooleanOption((option) => option.setName("flag").setDescription("x"))
    .addIntegerOption((option) => option.setName("count").setDescription("x"))
    .setDefaultMemberPermissions(PermissionFlagsBits.ManageGuild)
    .toJSON();

  it("resolves users, roles and channels, for those who may use the command", async () => {
    await using scene = await openStage(
      onCommand(async (interaction) => {
        const { options } = interaction;
        const member = options.getMember("user");
        const parts = [
          options.getUser("user")?.username,
          member !== null && "displayName" in member && member.displayName,
          options.getRole("role")?.name,
          options.getChannel("channel")?.name,
          options.getBoolean("flag"),
          options.getInteger("count"),
        ];
        await interaction.reply(parts.join(" "));
      }),
    );
    const { guild, channel, client } = scene;
    await client.application.commands.create(kinds);
    const admin = guild.addMember({ permissions: PermissionFlagsBits.ManageGuild });
    const user = guild.addMember({ username: "ann", displayName: "Ann" });
    const role = guild.addRole({ name: "birds" });
    const options = { user, role, channel, flag: true, count: 3 };
    const reply = await admin.command(channel, "kinds", options).until(() => true);
    expect(reply.content).toBe("ann Ann birds talk true 3");
    expect(() => user.command(channel, "kinds")).toThrow(/lacks the permissions/);
    expect(() => admin.command(channel, "kinds", { count: 1.5 })).toThrow(/takes a number, received 1.5/);
    expect(() => admin.command(channel, "kinds", { role: "1" })).toThrow(/something that exists here/);
  });

  it("takes files in modals", async () => {
    await using scene = await openStage(async (interaction) => {
      if (interaction.isChatInputCommand()) {
        const upload = new FileUploadBuilder().setCustomId("voice");
        const label = new LabelBuilder().setLabel("Voice").setFileUploadComponent(upload);
        await interaction.showModal(
          new ModalBuilder().setCustomId("form").setTitle("Form").addLabelComponents(label),
        );
      } else if (interaction.isModalSubmit()) {
        const file = interaction.fields.getUploadedFiles("voice", true).first();
        const bytes = await (await fetch(file?.url ?? "")).bytes();
        await interaction.reply(`${file?.name} ${bytes.byteLength}`);
      }
    });
    const opened = scene.member.command(scene.channel, "tasks cancel", { task: "1" });
    await opened.answered();
    expect(() => scene.member.submitModal(opened, {})).toThrow(/"voice" is required/);
    const { message } = await scene.member.submitModal(opened, { voice: [SAMPLE] }).answered();
    expect(message?.content).toBe("my_voice.wav 4");
  });

  it("holds voice messages to their rules", async () => {
    await using scene = await openStage();
    const route = Routes.channelMessages(scene.channel.id);
    const files = [{ name: "voice-message.ogg", data: Buffer.from("OggS") }];
    const attachments = [{ id: "0", filename: "voice-message.ogg", duration_secs: 1.5, waveform: "AAAA" }];
    const flags = MessageFlags.IsVoiceMessage;
    const send = (body: object) => scene.rest.post(route, { body: { flags, ...body }, files });
    await expect(send({ attachments, content: "x" })).rejects.toMatchObject({ code: 50159 });
    await expect(send({})).rejects.toMatchObject({ code: 50161 });
    expect(await send({ attachments })).toMatchObject({
      attachments: [{ duration_secs: 1.5, waveform: "AAAA" }],
    });
  });

  it("lets the first follow-up take the place of a deferred answer", async () => {
    await using scene = await openStage(
      onCommand(async (interaction) => {
        await interaction.deferReply({ flags: "Ephemeral" });
        await interaction.followUp("instead");
      }),
    );
    const sent = scene.member.command(scene.channel, "tasks cancel", { task: "1" });
    const reply = await sent.until(({ content }) => content === "instead");
    expect(reply).toMatchObject({ ephemeral: true, loading: false });
    expect(sent.followUps()).toEqual([]);
  });
});
