import type { InteractionRecord, Json, MessageRecord } from "./records.ts";
import { ANSWER_WITHIN_MS } from "./routes/interactions.ts";
import { Signal } from "./signal.ts";
import { type MessageView, viewMessage } from "./view.ts";
import type { World } from "./world.ts";

/** The first answer. `type` is Discord's callback type: 4 message, 5 deferred, 6 deferred update, 7 update, 8 choices, 9 modal. */
export type Answer = {
  type: number;
  ephemeral: boolean;
  /** How long the bot took, in milliseconds. */
  afterMs: number;
  message?: MessageView;
  modal?: Json;
  choices?: { name: string; value: string | number }[];
};

export type ReplyVersion = { at: number; message: MessageView };

/** An interaction on its way: what the member who sent it sees come of it. */
export class SentInteraction {
  readonly id: string;
  readonly token: string;
  readonly record: InteractionRecord;
  readonly #world: World;
  readonly #changed = new Signal<MessageView>();
  readonly #settled = new Signal<undefined>();
  readonly #versions: ReplyVersion[] = [];
  #hasFailed = false;

  constructor(world: World, record: InteractionRecord) {
    this.#world = world;
    this.record = record;
    this.id = record.id;
    this.token = record.token;
    const giveUp = world.clock.after(ANSWER_WITHIN_MS, () => {
      this.#hasFailed = true;
      stopWaiting();
      this.#settled.emit(undefined);
    });
    const stopWaiting = world.answered.listen((answered) => {
      if (answered !== record) return;
      giveUp();
      stopWaiting();
      const original = this.#original();
      if (original) this.#note(original);
      this.#settled.emit(undefined);
    });
    world.messageChanged.listen(({ message }) => {
      if (!record.answer) return;
      if (message.id === record.originalId) this.#note(message);
      else if (message.interactionId === record.id) this.#changed.emit(viewMessage(world, message));
    });
  }

  /** The first answer; rejects with "The application did not respond" once 3 s have passed without one. */
  answered(signal?: AbortSignal): Promise<Answer> {
    return this.#wait(
      () => this.#readAnswer(),
      this.#settled,
      () => "The interaction was not answered",
      signal,
    );
  }

  /** The original response as it is now. A deleted one still shows, with `deleted`. */
  get reply(): MessageView | undefined {
    const original = this.#original();
    return original && viewMessage(this.#world, original);
  }

  /** Waits until the original response is as wanted; when aborted, rejects with what it looked like. */
  until(wanted: (message: MessageView) => boolean, signal?: AbortSignal): Promise<MessageView> {
    const read = () => {
      if (this.#hasFailed) throw new Error("The application did not respond");
      const { reply } = this;
      return reply && wanted(reply) ? reply : undefined;
    };
    const describe = () =>
      `The reply never became what was awaited; it was ${JSON.stringify(this.reply, null, 2)}`;
    return this.#wait(read, this.#changed, describe, signal);
  }

  /** Every state the original response was in, oldest first. */
  versions(): ReplyVersion[] {
    return [...this.#versions];
  }

  /** Follow-up messages that are still there, oldest first. */
  followUps(): MessageView[] {
    const { record } = this;
    if (!record.answer) return [];
    return [...this.#world.messages.values()]
      .filter(
        ({ id, interactionId, deleted }) =>
          interactionId === record.id && id !== record.originalId && !deleted,
      )
      .map((message) => viewMessage(this.#world, message));
  }

  /** Calls back with every new state of the original response and of follow-ups. */
  onChange(listener: (message: MessageView) => void): () => void {
    return this.#changed.listen(listener);
  }

  #original(): MessageRecord | undefined {
    return this.#world.messages.get(this.record.originalId ?? "");
  }

  #note(message: MessageRecord): void {
    const view = viewMessage(this.#world, message);
    this.#versions.push({ at: this.#world.clock.now(), message: view });
    this.#changed.emit(view);
  }

  #readAnswer(): Answer | undefined {
    if (this.#hasFailed) throw new Error("The application did not respond");
    const { answer, sentAt } = this.record;
    if (!answer) return undefined;
    const message = this.#versions[0]?.message;
    return {
      type: answer.type,
      ephemeral: answer.ephemeral,
      afterMs: answer.at - sentAt,
      ...(message && { message }),
      ...(answer.modal && { modal: answer.modal }),
      ...(answer.choices && { choices: answer.choices }),
    };
  }

  /** Reads now and after every change until there is a value; reading throws when there can be none any more. */
  #wait<T>(
    read: () => T | undefined,
    changes: Signal<MessageView> | Signal<undefined>,
    describe: () => string,
    signal?: AbortSignal,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const check = () => {
      try {
        if (signal?.aborted) throw new Error(describe(), { cause: signal.reason });
        const value = read();
        if (value !== undefined) resolve(value);
      } catch (error) {
        reject(error);
      }
    };
    const stops = [changes.listen(check), this.#settled.listen(check)];
    signal?.addEventListener("abort", check, { once: true });
    check();
    return promise.finally(() => {
      for (const stop of stops) stop();
      signal?.removeEventListener("abort", check);
    });
  }
}
