import type { SentInteraction } from "../../sandbox/discord/sent-interaction.ts";
import type { MessageView } from "../../sandbox/discord/view.ts";

/** Resolves with what `read` gives as soon as it gives something; it is asked now and at every call of the listener. */
export function when<T>(
  listen: (check: () => void) => () => void,
  read: () => T | undefined | false,
  signal: AbortSignal,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const check = () => {
    const value = read();
    if (value !== undefined && value !== false) resolve(value);
  };
  const abort = () => reject(new Error("What was awaited never came", { cause: signal.reason }));
  const stop = listen(check);
  signal.addEventListener("abort", abort, { once: true });
  check();
  return promise.finally(() => {
    stop();
    signal.removeEventListener("abort", abort);
  });
}

/** The message for the member's eyes only that followed a press. */
export function whisper(pressed: SentInteraction, signal: AbortSignal): Promise<MessageView> {
  return when(
    (check) => pressed.onChange(check),
    () => pressed.followUps()[0],
    signal,
  );
}

/** A predicate for `until`: the card has this title. A refusal is the end, so waiting for anything else fails with it. */
export function titled(wanted: string): (message: MessageView) => boolean {
  return (message) => {
    const found = title(message);
    if (found === REFUSED && wanted !== REFUSED) throw new Error(`Refused: ${words(message)}`);
    return found === wanted;
  };
}

const REFUSED = "That did not work";

/** The title of a card, such as "Done". */
export function title(message: { embeds: { title?: string }[] } | undefined): string | undefined {
  return message?.embeds[0]?.title;
}

/** What a card says. */
export function words(message: { embeds: { description?: string }[] } | undefined): string {
  return message?.embeds[0]?.description ?? "";
}

/** The titles that the card had, oldest first, each once in a row. */
export function titles(sent: SentInteraction): string[] {
  const all = sent.versions().flatMap(({ message }) => title(message) ?? []);
  return all.filter((name, index) => name !== all[index - 1]);
}

/** The custom id of a button by its label. */
export function buttonId(message: MessageView | undefined, label: string): string {
  const button = message?.buttons.find((candidate) => candidate.label === label);
  if (!button?.customId) throw new Error(`There is no button ${label}`);
  return button.customId;
}
