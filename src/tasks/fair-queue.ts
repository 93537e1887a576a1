import { Turns, type Turn } from "./turns.ts";

export type Place = { guildId: string; userId: string };

/** How many may be active at once: of a guild, and of each of its members. */
export type Caps = { guild: number; member: number };

/** What keeps its place had its turn before and nothing came of it, so it goes before all others. */
const LANES = ["kept", "rest"] as const;
type Lane = (typeof LANES)[number];

/** A turn in one lane, shared by those who wait in the line. */
class Share<Whose, Who extends Turn<Who>> extends Turns<Who> implements Turn<Share<Whose, Who>> {
  isInLine = false;
  before: Share<Whose, Who> | undefined = undefined;
  after: Share<Whose, Who> | undefined = undefined;
  readonly whose: Whose;

  constructor(whose: Whose) {
    super();
    this.whose = whose;
  }
}

type MemberShare<T> = Share<Member<T>, Ticket<T>>;

class Guild<T> {
  active = 0;
  waiting = 0;
  readonly guildId: string;
  readonly members = new Map<string, Member<T>>();
  readonly kept = new Share<Guild<T>, MemberShare<T>>(this);
  readonly rest = new Share<Guild<T>, MemberShare<T>>(this);

  constructor(guildId: string) {
    this.guildId = guildId;
  }
}

class Member<T> {
  active = 0;
  readonly userId: string;
  readonly guild: Guild<T>;
  readonly kept: MemberShare<T> = new Share(this);
  readonly rest: MemberShare<T> = new Share(this);

  constructor(guild: Guild<T>, userId: string) {
    this.guild = guild;
    this.userId = userId;
  }
}

/** An item's place in the queue, to leave by. */
export class Ticket<T> implements Turn<Ticket<T>> {
  isInLine = false;
  before: Ticket<T> | undefined = undefined;
  after: Ticket<T> | undefined = undefined;
  readonly item: T;
  readonly member: Member<T>;
  readonly lane: Lane;

  constructor(item: T, member: Member<T>, lane: Lane) {
    this.item = item;
    this.member = member;
    this.lane = lane;
  }
}

/**
 * Who is next: guilds take turns, within a guild its members take turns, and one member's items keep their order. Who
 * has as many active as their cap allows is not in line until one of theirs ends, and then joins at the end. So between
 * two turns of anyone who may go, each other gets one at most, but for turns that came to nothing and are given again.
 *
 * Every call but `line`, `guilds` and `capsChanged` takes the same time however many wait.
 */
export class FairQueue<T> {
  readonly #capsOf: (guildId: string) => Caps;
  /** Everyone who has something waiting or active. */
  readonly #guilds = new Map<string, Guild<T>>();
  /** Guilds below their cap in which somebody may go. */
  readonly #lanes: Record<Lane, Turns<Guild<T>["rest"]>> = { kept: new Turns(), rest: new Turns() };
  #size = 0;

  constructor(capsOf: (guildId: string) => Caps) {
    this.#capsOf = capsOf;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Whether `next` would give one. */
  get isReady(): boolean {
    return this.#first() !== undefined;
  }

  /** `keepsPlace`: it had its turn before and nothing came of it. */
  add(place: Place, item: T, keepsPlace: boolean): Ticket<T> {
    const member = this.#member(place);
    const ticket = new Ticket(item, member, keepsPlace ? "kept" : "rest");
    member[ticket.lane].add(ticket);
    member.guild.waiting += 1;
    this.#size += 1;
    this.#arrange(member);
    return ticket;
  }

  /** Takes the next item out and counts it as active; undefined when nobody may go. */
  next(): T | undefined {
    const ticket = this.#first();
    if (!ticket) return undefined;
    const { member, lane } = ticket;
    this.#take(ticket);
    member.guild[lane].remove(member[lane]);
    this.#lanes[lane].remove(member.guild[lane]);
    this.#count(member, 1);
    return ticket.item;
  }

  /** Takes an item out of the middle; false when it has left already. */
  remove(ticket: Ticket<T>): boolean {
    if (!ticket.isInLine) return false;
    this.#take(ticket);
    this.#arrange(ticket.member);
    return true;
  }

  /** One is active that was not waiting here. */
  begin(place: Place): void {
    this.#count(this.#member(place), 1);
  }

  /** One that was active is over. */
  done({ guildId, userId }: Place): void {
    const member = this.#guilds.get(guildId)?.members.get(userId);
    if (member) this.#count(member, -1);
  }

  /** To be called when a guild's caps may have risen; lower ones are seen by themselves. */
  capsChanged(guildId: string): void {
    for (const member of this.#guilds.get(guildId)?.members.values() ?? []) this.#arrange(member);
  }

  /** A guild's items in the order in which they would get their turn; members at their cap come last in each round. */
  line(guildId: string): T[] {
    const guild = this.#guilds.get(guildId);
    if (!guild) return [];
    return LANES.flatMap((lane) => {
      const line: T[] = [];
      const ready = [...guild[lane]].map(({ whose }) => whose);
      const members = new Set([...ready, ...guild.members.values()]);
      let round = [...members].flatMap((member) => member[lane].first ?? []);
      while (round.length > 0) {
        for (const { item } of round) line.push(item);
        round = round.flatMap(({ after }) => after ?? []);
      }
      return line;
    });
  }

  /** Every guild with something waiting or active. */
  *guilds(): Generator<{ guildId: string; waiting: number; active: number }> {
    for (const { guildId, waiting, active } of this.#guilds.values()) yield { guildId, waiting, active };
  }

  /** The item whose turn it is. Caps may have been lowered since those in line were put there. */
  #first(): Ticket<T> | undefined {
    for (const lane of LANES) {
      const guilds = this.#lanes[lane];
      for (let ticket = guilds.first?.first?.first; ticket; ticket = guilds.first?.first?.first) {
        const { member } = ticket;
        const caps = this.#capsOf(member.guild.guildId);
        if (member.guild.active < caps.guild && member.active < caps.member) return ticket;
        this.#arrange(member);
      }
    }
    return undefined;
  }

  #take(ticket: Ticket<T>): void {
    ticket.member[ticket.lane].remove(ticket);
    ticket.member.guild.waiting -= 1;
    this.#size -= 1;
  }

  #count(member: Member<T>, change: 1 | -1): void {
    member.active += change;
    member.guild.active += change;
    this.#arrange(member);
  }

  /** Puts a member and its guild in line where they may go, and takes them out where not. */
  #arrange(member: Member<T>): void {
    const { guild } = member;
    const caps = this.#capsOf(guild.guildId);
    for (const lane of LANES) {
      setInLine(guild[lane], member[lane], member.active < caps.member);
      setInLine(this.#lanes[lane], guild[lane], guild.active < caps.guild);
    }
    if (!member.kept.first && !member.rest.first && member.active === 0) guild.members.delete(member.userId);
    if (guild.waiting === 0 && guild.active === 0) this.#guilds.delete(guild.guildId);
  }

  #member({ guildId, userId }: Place): Member<T> {
    let guild = this.#guilds.get(guildId);
    if (!guild) this.#guilds.set(guildId, (guild = new Guild(guildId)));
    let member = guild.members.get(userId);
    if (!member) guild.members.set(userId, (member = new Member(guild, userId)));
    return member;
  }
}

function setInLine<Whose, Who extends Turn<Who>>(
  line: Turns<Share<Whose, Who>>,
  share: Share<Whose, Who>,
  isBelowCap: boolean,
): void {
  if (isBelowCap && share.first) line.add(share);
  else line.remove(share);
}
