import { type FormError, refuseForm } from "./errors.ts";
import type { CommandRecord, Json } from "./records.ts";
import type { World } from "./world.ts";
import { asText } from "./text.ts";

const NAME = /^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$/u;
const CHAT_INPUT = 1;
const NESTING = new Set([1, 2]);
const OPTION_FLAGS = ["required", "autocomplete"];

/** Refuses what the schema of a command lets through but Discord does not. */
export function checkCommand(command: Json, prefix: (string | number)[]): void {
  const problems: FormError[] = [];
  if ((command["type"] ?? CHAT_INPUT) === CHAT_INPUT) {
    checkName(command, prefix, problems);
    if (!command["description"]) problems.push(missing([...prefix, "description"]));
    checkOptions(command["options"], [...prefix, "options"], problems);
  } else if (command["description"]) {
    const message = "Context menu commands cannot have description";
    problems.push({
      path: [...prefix, "description"],
      code: "APPLICATION_COMMAND_DESCRIPTION_INVALID",
      message,
    });
  }
  if (problems.length > 0) throw refuseForm(problems);
}

function missing(path: (string | number)[]): FormError {
  return { path, code: "BASE_TYPE_REQUIRED", message: "This field is required" };
}

function checkName(item: Json, path: (string | number)[], problems: FormError[]): void {
  const name = String(item["name"]);
  if (NAME.test(name) && name === name.toLowerCase()) return;
  const message = "Command name is invalid";
  problems.push({ path: [...path, "name"], code: "APPLICATION_COMMAND_INVALID_NAME", message });
}

function checkOptions(options: unknown, path: (string | number)[], problems: FormError[]): void {
  const names = new Set<unknown>();
  let optionalSeen = false;
  const list = (options ?? []) as Json[];
  const nested = list.filter((option) => NESTING.has(Number(option["type"]))).length;
  if (nested > 0 && nested < list.length) {
    const message =
      "Sub-command and sub-command group option types are mutually exclusive to all other types";
    problems.push({ path, code: "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message });
  }
  for (const [index, option] of list.entries()) {
    const here = [...path, index];
    checkName(option, here, problems);
    if (names.has(option["name"])) {
      const message = "Option name already exists";
      problems.push({ path: here, code: "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", message });
    }
    names.add(option["name"]);
    if (option["required"] === true && optionalSeen) {
      const message = "Required options must be placed before non-required options";
      problems.push({ path: here, code: "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message });
    }
    if (option["required"] !== true) optionalSeen = true;
    if (option["autocomplete"] === true && Array.isArray(option["choices"]) && option["choices"].length > 0) {
      const message = "Options with autocomplete cannot have choices";
      problems.push({ path: here, code: "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID", message });
    }
    checkOptions(option["options"], [...here, "options"], problems);
  }
}

/** Completes a command the way Discord does: what was not said is filled in, and options lose what is false or null. */
export function completeCommand(
  world: World,
  sent: Json,
  guildId: string | undefined,
  existing: CommandRecord | undefined,
): CommandRecord {
  const permissions = sent["default_member_permissions"];
  const contexts = (sent["contexts"] ?? null) as number[] | null;
  const command: CommandRecord = {
    id: existing?.id ?? world.ids.next(),
    application_id: world.application.id,
    version: existing?.version ?? "",
    default_member_permissions:
      permissions === undefined || permissions === null ? null : asText(permissions),
    type: sent["type"] ?? CHAT_INPUT,
    name: String(sent["name"]),
    name_localizations: sent["name_localizations"] ?? null,
    description: sent["description"] ?? "",
    description_localizations: sent["description_localizations"] ?? null,
    contexts,
    integration_types: sent["integration_types"] ?? [0],
    nsfw: sent["nsfw"] ?? false,
    ...(guildId === undefined
      ? { dm_permission: contexts ? contexts.includes(1) : (sent["dm_permission"] ?? true) }
      : { guild_id: guildId }),
    ...(Array.isArray(sent["options"]) &&
      sent["options"].length > 0 && { options: tidyOptions(sent["options"]) }),
  };
  const isSame = existing !== undefined && JSON.stringify(existing) === JSON.stringify(command);
  return isSame ? existing : { ...command, version: world.ids.next() };
}

function tidyOptions(options: Json[]): Json[] {
  return options.map((option) => {
    const kept = Object.entries(option).filter(
      ([key, value]) =>
        value !== null && value !== undefined && !(value === false && OPTION_FLAGS.includes(key)),
    );
    const tidy: Json = Object.fromEntries(kept);
    if (Array.isArray(tidy["choices"]) && tidy["choices"].length === 0) delete tidy["choices"];
    if (Array.isArray(tidy["options"])) tidy["options"] = tidyOptions(tidy["options"] as Json[]);
    return tidy;
  });
}
