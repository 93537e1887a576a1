/** What everyone in a line carries; only `Turns` writes it. */
export interface Turn<Self> {
  isInLine: boolean;
  before: Self | undefined;
  after: Self | undefined;
}

/** A line, first in first out, that anyone may leave at no more cost than the first. Nobody stands in two. */
export class Turns<Who extends Turn<Who>> {
  first: Who | undefined = undefined;
  last: Who | undefined = undefined;

  /** Puts one at the end; who is in line already keeps the place. */
  add(who: Who): void {
    if (who.isInLine) return;
    who.isInLine = true;
    who.before = this.last;
    if (this.last) this.last.after = who;
    else this.first = who;
    this.last = who;
  }

  /** Nothing happens when it is not in line. */
  remove(who: Who): void {
    if (!who.isInLine) return;
    if (who.before) who.before.after = who.after;
    else this.first = who.after;
    if (who.after) who.after.before = who.before;
    else this.last = who.before;
    who.isInLine = false;
    who.before = who.after = undefined;
  }

  *[Symbol.iterator](): Iterator<Who> {
    for (let who = this.first; who; who = who.after) yield who;
  }
}
