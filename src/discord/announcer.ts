import { createHash } from "node:crypto";
import { Routes, type APIEmbed, type Client, type RawFile } from "discord.js";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../tasks/ports.ts";
import type { Task } from "../tasks/task.ts";

/** Who waited longer than this has looked away, and is told when it is over (ms). */
const WORTH_A_PING_MS = 2 * 60_000;

/**
 * Messages to a member beside the card. Each carries a nonce made from the task and its try, which Discord refuses to
 * post twice for some minutes: a message that is repeated after a crash is still seen once.
 */
export class Announcer {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(client: Client, clock: Clock, log: Log) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /** Pings the owner of a task that is over, in a reply to its card, if it took long. Never fails. */
  async announce(task: Task, signal: AbortSignal): Promise<void> {
    if (this.#clock.now() - task.createdAt < WORTH_A_PING_MS) return;
    const { channelId, messageId } = task.reply;
    const words =
      task.state.name === "done" ? "your speech is ready." : "this one did not work out; the card says why.";
    const body = {
      content: `<@${task.userId}>, ${words}`,
      message_reference: { message_id: messageId, fail_if_not_exists: true },
      allowed_mentions: { users: [task.userId], replied_user: false },
      ...onlyOnce(task, "ping"),
    };
    try {
      await this.#client.rest.post(Routes.channelMessages(channelId), {
        body,
        signal: AbortSignal.any([signal]),
      });
    } catch (error) {
      this.#log.warn({ taskId: task.id, err: error }, "the owner could not be told of a task's end");
    }
  }

  /** Sends a result to its owner by direct message. Rejects with Discord's error. */
  async sendDirectly(task: Task, embeds: APIEmbed[], file: RawFile, signal: AbortSignal): Promise<void> {
    const { rest } = this.#client;
    const each = () => AbortSignal.any([signal]);
    const channel = (await rest.post(Routes.userChannels(), {
      body: { recipient_id: task.userId },
      signal: each(),
    })) as { id: string };
    const body = {
      content: `I could not reach my message in <#${task.reply.channelId}> any more, so here is your result.`,
      embeds,
      allowed_mentions: { parse: [] },
      ...onlyOnce(task, file.name),
    };
    await rest.post(Routes.channelMessages(channel.id), { body, files: [file], signal: each() });
  }
}

/** A nonce has at most 25 characters. */
function onlyOnce({ id, createdAt }: Task, what: string) {
  const nonce = createHash("sha256").update(`${id} ${createdAt} ${what}`).digest("base64url").slice(0, 25);
  return { nonce, enforce_nonce: true };
}
