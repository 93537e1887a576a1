import { expect, test } from "vitest";
import { Admission, type TaskCaps } from "../../../src/tasks/admission.ts";
import { makeTask } from "../arbitrary-task.ts";
import { makeWorld } from "./world.ts";

const caps: TaskCaps = { guild: { active: 9, waiting: 3 }, member: { active: 9, waiting: 2 } };
const ada = { guildId: "1", userId: "ada" };
const bob = { guildId: "1", userId: "bob" };

function open() {
  const { journal } = makeWorld();
  return { journal, admission: new Admission(journal, () => caps) };
}

test("commands that come at once do not get past a member's cap, nor past the guild's", () => {
  const { admission } = open();
  const first = admission.admit(ada);
  admission.admit(ada);
  expect(() => admission.admit(ada)).toThrow(/^You have 2 tasks waiting/);
  admission.admit(bob);
  expect(() => admission.admit(bob)).toThrow(/^This server has 3 tasks waiting/);
  expect(() => admission.check({ guildId: "2", userId: "ada" })).not.toThrow();
  first[Symbol.dispose]();
  expect(() => admission.admit(bob)).not.toThrow();
});

test("what waits in the journal counts, and what is read already does not", async () => {
  const { admission, journal } = open();
  await journal.open(makeTask({ id: "a", ...ada }));
  await journal.open(makeTask({ id: "b", ...ada, state: { name: "rendering" } }));
  expect(() => admission.check(ada)).not.toThrow();
  await journal.open(makeTask({ id: "c", ...ada }));
  expect(() => admission.check(ada)).toThrow(/cancel one with/);
  await journal.record("c", { type: "cancelled", at: 1, byUserId: "ada" });
  expect(() => admission.check(ada)).not.toThrow();
});
