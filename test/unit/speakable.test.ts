import * as fc from "fast-check";
import { expect, test } from "vitest";
import { makeSpeakable, type NameLookup } from "../../src/discord/speakable.ts";

const nameOf: NameLookup = {
  user: (id) => (id === "1" ? "Ann__B__" : undefined),
  role: (id) => (id === "1" ? "Mods" : undefined),
  channel: (id) => (id === "1" ? "general-chat" : undefined),
};

test.each([
  // Mentions and the like
  ["<:party_blob:123>!", "party blob!"],
  ["<a:wave:5><:aa:6>ok", "wave aa ok"],
  ["<@1> <@!1> <@2>'s", "Ann__B__ Ann__B__ someone's"],
  ["<@&1> <@&2> <#1> <#2>", "Mods a role general-chat a channel"],
  ["@everyone, @here.", "everyone, here."],
  ["bob@here.com <bob@example.com>", "bob@here.com bob@example.com"],
  ["</clone:1> </voice add:2>", "slash clone slash voice add"],
  ["<t:1618953630:F>", "Tuesday, 20 April 2021 at 21:20 UTC"],
  ["<t:1618953630>", "20 April 2021 at 21:20 UTC"],
  ["<t:1618953630:R> <t:1618953630:d>", "20 April 2021 20 April 2021"],
  ["<t:1618953630:t> <t:1618953630:T>", "21:20 UTC 21:20:30 UTC"],
  ["<t:9999999999999>", "a date"],
  ["<id:customize> <id:linked-roles:7>", "Channels and Roles Linked Roles"],
  ["I <3 you, 1 < 2 > 0, 😀 ❤️", "I <3 you, 1 < 2 > 0, 😀 ❤️"],
  // Links
  ["https://www.example.com/a/b?x=1", "a link to example.com"],
  ["(<https://example.com/x>) or https://u:p@E.com:80/y.", "(a link to example.com) or a link to e.com."],
  ["(https://en.wikipedia.org/wiki/Foo_(bar)), so", "(a link to en.wikipedia.org), so"],
  ["**https://a.com/b_c_d**", "a link to a.com"],
  ["见https://a.com/b。谢谢", "见a link to a.com。谢谢"],
  ['[words](https://a.b/c_(d)) [**b**](<https://x.y> "t")', "words b"],
  ["![a cat](cat.png) [![i](a.b)](c.d)", "a cat i"],
  ["[laughs](softly) [1] [[x]]", "[laughs](softly) [1] [[x]]"],
  // Marks inside lines
  ["**b** *i* _i_ __u__ ***bi*** ~~s~~", "b i i u bi s"],
  ["||sp|| ||a||||b|| || sp ||", "sp ab sp"],
  ["||one\n\ntwo||", "one\n\ntwo"],
  ['"*hm*" (*x*), **a**. re**ally** **H**ello', '"hm" (x), a. really Hello'],
  ["**「強調」**です これは*強調*です", "「強調」です これは強調です"],
  ["snake_case _snake_case_ T_T ^_^", "snake_case snake_case T_T ^_^"],
  ["2 * 3 * 4 5*6*7 a*b*c x**2 + y**2", "2 * 3 * 4 5*6*7 a*b*c x**2 + y**2"],
  ["f*ck sh*t, 10~20 or ~5, a || b", "f*ck sh*t, 10~20 or ~5, a || b"],
  ["*one\n\ntwo*", "*one\n\ntwo*"],
  ["\\*not\\* \\# \\\\ ¯\\_(ツ)_/¯", "*not* # \\ ¯_(ツ)_/¯"],
  // Code
  ["`a *b*` ``c ` d`` don`t", "a *b* c ` d don`t"],
  ["```js\nconst a = '*b*' * 2;\n\n# x\n```", "const a = '*b*' * 2;\n\n# x"],
  ["see ```one``` and\n```\ntwo\n```\nthree", "see one and\ntwo\nthree"],
  ["> ```js\n> code\n> ```", "code"],
  ["```js\nnever closed", "never closed"],
  // Starts of lines
  ["# Title #\n## Sub\n-# small\n#tag", "Title\nSub\nsmall\n#tag"],
  ["> a\n> > b\n>>> c\n>:(", "a\nb\nc\n>:("],
  ["- a\n* b\n  + c\n- [x] d\n-5", "a\nb\nc\nd\n-5"],
  ["1984. A year\n1) one", "1984. A year\n1) one"],
  ["a\n\n---\n\nb\n* * *\nT\n===", "a\n\nb\n\nT"],
  ["| a | b |\n|---|:-:|\n| 1 | **2** |\n\nx | y", "a, b\n1, 2\n\nx | y"],
  ["a <!-- c\n\nd --> b <!-- open", "a b <!-- open"],
  // Space and characters
  ["  a \t b  \r\n\r\n\r\n\r\n  c  ", "a b\n\nc"],
  ["d\u200b\ufeff\u0007x\u200dy \ud800z", "dxy z"],
  ["👨‍👩‍👧 می‌خواهم क्‍ष 🏴󠁧󠁢󠁳󠁣󠁴󠁿", "👨‍👩‍👧 می‌خواهم क्‍ष 🏴󠁧󠁢󠁳󠁣󠁴󠁿"],
  ["cafe\u0301", "caf\u00e9"],
])("%j is said as %j", (written, spoken) => {
  expect(makeSpeakable(written, nameOf)).toBe(spoken);
});

const word = fc.stringMatching(/^[A-Za-zéßжあ0-9]{1,8}$/);
const sentence = fc
  .array(fc.tuple(word, fc.constantFrom("", "", ",", ";", ":", "'s", " -", " (so)", "?!", "…", "-like")), {
    minLength: 1,
  })
  .map((pairs) => `${pairs.map(([letters, end]) => letters + end).join(" ")}.`);
const prose = fc
  .array(fc.tuple(sentence, fc.constantFrom("\n", "\n\n")), { minLength: 1, maxLength: 6 })
  .map((lines) => lines.flat().join("").trim());

test("marks piled on a letter end at 30", () => {
  const piled = (count: number) => `a${"\u0316\u0301".repeat(count)}b`;
  expect(makeSpeakable(piled(1000), nameOf)).toBe(piled(15).normalize("NFC"));
});

test("plain prose comes back as it was", () => {
  const isKept = (text: string) => {
    expect(makeSpeakable(text, nameOf)).toBe(text);
  };
  fc.assert(fc.property(prose, isKept), { numRuns: 300 });
});

test("what was made speakable stays as it is", () => {
  const wraps = ["**", "*", "__", "_", "~~", "||", "`", "```"] as const;
  const wrapped = fc.tuple(fc.constantFrom(...wraps), word).map(([mark, inner]) => mark + inner + mark);
  const special = fc.constantFrom(
    "<@1>",
    "<#2>",
    "<:aa_b:1>",
    "<t:1>",
    "https://a.com/b",
    "[w](https://a.b)",
    "@here",
  );
  const start = fc.constantFrom("", "", "# ", "> ", "- ", "-# ", "12. ");
  const line = fc.tuple(start, fc.array(fc.oneof(word, wrapped, special), { minLength: 1 }));
  const text = fc
    .array(line, { minLength: 1 })
    .map((lines) => lines.map(([first, rest]) => first + rest.join(" ")).join("\n"));
  const isStable = (written: string) => {
    const once = makeSpeakable(written, { ...nameOf, user: () => "Ann" });
    expect(makeSpeakable(once, nameOf)).toBe(once);
  };
  fc.assert(fc.property(text, isStable), { numRuns: 300 });
});

test("any text is taken", () => {
  const marks = fc.constantFrom(
    ...Array.from("[]()<>*_~|`\\#-=!@:/&\n "),
    "https://",
    "<!--",
    "-->",
    "<t:1",
    "<@1>",
    "a",
  );
  const text = fc.array(marks, { maxLength: 200 }).map((parts) => parts.join(""));
  const isTidy = (written: string) => {
    expect(makeSpeakable(written, nameOf)).not.toMatch(/ {2}| \n|\n |\n{3}|[\uf700-\uf77f]/);
  };
  fc.assert(fc.property(fc.oneof(text, fc.string({ unit: "binary" })), isTidy), { numRuns: 2000 });
});
