import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nameFile } from "../../../src/discord/file-name.ts";
import { anyText } from "../arbitrary-task.ts";

const nameOf = (text: string) => nameFile({ text, id: "k3v9m2x7qa" }, "wav");

test("holds only what Discord leaves alone, and is never long, whatever the text", () => {
  const words = fc
    .array(fc.string({ unit: "grapheme-ascii", maxLength: 60 }))
    .map((parts) => parts.join(" "));
  fc.assert(
    fc.property(fc.oneof(anyText, words), (text) => {
      const name = nameOf(text);
      expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*\.wav$/);
      expect(name.length).toBeGreaterThanOrEqual(7);
      expect(name.length).toBeLessThanOrEqual(52);
    }),
  );
});

test.each([
  ["The lighthouse keeper climbed the stairs.", "the-lighthouse-keeper-climbed-the-stairs.wav"],
  ["Don't  stop — it’s GREAT!", "dont-stop-its-great.wav"],
  ["Crème brûlée, señor", "creme-brulee-senor.wav"],
  ["../../etc/passwd", "etc-passwd.wav"],
  ["Привет, hello there", "hello-there.wav"],
  ["Chapter 12: the end", "chapter-12-the-end.wav"],
  ["a".repeat(47), `${"a".repeat(47)}.wav`],
])("%j becomes %s", (text, expected) => expect(nameOf(text)).toBe(expected));

test("is cut between words", () => {
  const name = nameOf("one two three four five six seven eight nine ten eleven twelve thirteen");
  expect(name).toBe("one-two-three-four-five-six-seven-eight-nine-ten.wav");
});

test.each(["こんにちは、世界", "Привет, мир", "مرحبا", "😀😀😀", "Hi", "...", "a".repeat(100)])(
  "%j has no name of its own",
  (text) => expect(nameOf(text)).toBe("mynah-k3v9m2x7qa.wav"),
);

test("of several parts each has its number", () => {
  const task = { text: "A long story", id: "k3v9m2x7qa" };
  expect(nameFile(task, "ogg", { part: 2, of: 3 })).toBe("a-long-story-part-2-of-3.ogg");
});
