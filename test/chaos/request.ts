import type { SentInteraction } from "../../sandbox/discord/sent-interaction.ts";
import type { MessageView } from "../../sandbox/discord/view.ts";
import { title } from "../support/waiting.ts";

const ENDS = new Set(["Done", "Not finished", "Cancelled"]);

/** One /clone and what its member saw of it. */
export class Request {
  /** The text as it was typed. */
  readonly text: string;
  /** The ids of all task cards that the reply ever showed. */
  readonly cardIds = new Set<string>();
  /** The reply as it is now; undefined while there is none. */
  reply: MessageView | undefined;
  /** "The application did not respond": the bot was dead or busy dying. */
  unheard = false;

  constructor(sent: SentInteraction, text: string, changed: (request: Request) => void) {
    this.text = text;
    sent.onChange((message) => {
      if (message.id !== sent.record.originalId) return;
      this.reply = message;
      const id = taskIdOn(message);
      if (id !== undefined) this.cardIds.add(id);
      changed(this);
    });
    sent.answered().catch(() => {
      this.unheard = true;
      changed(this);
    });
  }

  /** The card tells an end. */
  get isOver(): boolean {
    return ENDS.has(title(this.reply) ?? "");
  }

  get hasFailed(): boolean {
    return this.isOver && title(this.reply) !== "Done";
  }

  /** Intake said no: there never was a task. */
  get isRefused(): boolean {
    return title(this.reply) === "That did not work";
  }
}

/** The task that a message is the card of. */
export function taskIdOn({ embeds }: Pick<MessageView, "embeds">): string | undefined {
  return /^AI-generated voice · (\w+)$/.exec(embeds[0]?.footer?.text ?? "")?.[1];
}
