import { Routes } from "discord.js";
import * as spec from "discord-api-spec/zod";
import { expect, it } from "vitest";
import * as z from "zod/mini";
import { startDiscord } from "../../sandbox/discord/stand-in.ts";
import { makeRest } from "./discord-bot.ts";

/** Times are compared in UTC notation, for the published schemas know no other. */
function expectShape(schema: z.core.$ZodType, value: unknown): void {
  const normal: unknown = JSON.parse(JSON.stringify(value).replaceAll("+00:00", "Z"));
  expect(z.safeParse(schema, normal).error?.issues ?? []).toEqual([]);
}

const CLASSIC = {
  content: "hello",
  embeds: [{ title: "t", fields: [{ name: "a", value: "b" }], image: { url: "attachment://a.png" } }],
  components: [
    {
      type: 1,
      components: [
        { type: 2, style: 1, label: "x", custom_id: "q" },
        { type: 2, style: 5, label: "x", url: "https://example.com" },
      ],
    },
    { type: 1, components: [{ type: 3, custom_id: "s", options: [{ label: "a", value: "a" }] }] },
  ],
};

const PANEL = {
  flags: 1 << 15,
  components: [
    {
      type: 17,
      components: [
        { type: 10, content: "text" },
        { type: 14 },
        {
          type: 9,
          components: [{ type: 10, content: "beside" }],
          accessory: { type: 2, style: 1, label: "x", custom_id: "q" },
        },
      ],
    },
    { type: 12, items: [{ media: { url: "attachment://a.png" } }] },
    { type: 13, file: { url: "attachment://a.png" } },
  ],
};

it("answers in the shapes that Discord publishes", async () => {
  await using discord = await startDiscord();
  const guild = discord.addGuild();
  const [text, voice] = [guild.addChannel(), guild.addChannel({ type: 2 })];
  const member = guild.addMember();
  guild.addEmoji("tick");
  const rest = makeRest(discord);
  const files = [{ name: "a.png", data: Buffer.from("x") }];
  for (const body of [CLASSIC, PANEL]) {
    expectShape(
      spec.BasicMessageResponseSchema,
      await rest.post(Routes.channelMessages(text.id), { body, files }),
    );
  }
  expectShape(spec.GuildResponseSchema, await rest.get(Routes.guild(guild.id)));
  expectShape(spec.GuildMemberResponseSchema, await rest.get(Routes.guildMember(guild.id, member.id)));
  for (const { id } of [text, voice])
    expectShape(spec.GuildChannelResponseSchema, await rest.get(Routes.channel(id)));
  const direct = await rest.post(Routes.userChannels(), { body: { recipient_id: member.id } });
  expectShape(spec.PrivateChannelResponseSchema, direct);
  expectShape(spec.UserPIIResponseSchema, await rest.get(Routes.user()));
  expectShape(spec.PrivateApplicationResponseSchema, await rest.get(Routes.currentApplication()));
  expectShape(spec.GatewayBotResponseSchema, await rest.get(Routes.gatewayBot()));
  const options = [{ type: 3, name: "t", description: "d", required: true }];
  const body = { name: "a", description: "b", options };
  const command = await rest.post(Routes.applicationCommands(discord.applicationId), { body });
  expectShape(spec.ApplicationCommandResponseSchema, command);
});
