import { type FormError, refuseForm } from "./errors.ts";
import type { Json } from "./records.ts";
import { asText } from "./text.ts";

const EMBED_TOTAL = 6000;
const V2_COMPONENTS = 40;
const V2_TEXT = 4000;
const ROWS = 5;
const ACTION_ROW = 1;
const BUTTON = 2;
const LINK = 5;
const TEXT_DISPLAY = 10;
const FILE = 13;
const SELECTS = new Set([3, 5, 6, 7, 8]);

export type Located = { component: Json; path: (string | number)[] };

/** Refuses what Discord's schemas let through but Discord does not: totals, duplicates, Components V2. */
export function checkMessageBody(body: Json, isV2: boolean, prefix: string[]): void {
  const problems: FormError[] = [];
  const report = (path: (string | number)[], code: string, message: string) =>
    problems.push({ path: [...prefix, ...path], code, message });
  if (isV2) checkLegacyFields(body, report);
  else checkClassic(body, report);
  checkEmbeds((body["embeds"] ?? []) as Json[], report);
  checkComponents(listComponents(body["components"], ["components"]), isV2, report);
  checkMentions(body["allowed_mentions"], report);
  if (problems.length > 0) throw refuseForm(problems);
}

type Report = (path: (string | number)[], code: string, message: string) => void;

function checkLegacyFields(body: Json, report: Report): void {
  for (const field of ["content", "embeds", "sticker_ids", "poll"]) {
    const value = body[field];
    if (value === undefined || value === null || value === "" || (Array.isArray(value) && !value.length))
      continue;
    report(
      [field],
      "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
      `The '${field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2`,
    );
  }
}

function checkClassic(body: Json, report: Report): void {
  const content = body["content"];
  if (typeof content === "string" && content.length > 2000) {
    report(["content"], "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.");
  }
  const rows = (body["components"] ?? []) as Json[];
  if (rows.length > ROWS)
    report(["components"], "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
  for (const [index, row] of rows.entries()) {
    if (row["type"] === ACTION_ROW) continue;
    report(["components", index, "type"], "BASE_TYPE_CHOICES", "Value must be one of {1}.");
  }
}

function checkEmbeds(embeds: Json[], report: Report): void {
  let total = 0;
  for (const [index, embed] of embeds.entries()) {
    const fields = (embed["fields"] ?? []) as Json[];
    const texts = [
      embed["title"],
      embed["description"],
      part(embed["footer"], "text"),
      part(embed["author"], "name"),
    ];
    for (const [place, field] of fields.entries()) {
      texts.push(field["name"], field["value"]);
      for (const key of ["name", "value"]) {
        if (asText(field[key]).trim() !== "") continue;
        report(["embeds", index, "fields", place, key], "BASE_TYPE_REQUIRED", "This field is required");
      }
    }
    for (const text of texts) if (typeof text === "string") total += text.length;
  }
  if (total <= EMBED_TOTAL) return;
  report(["embeds"], "MAX_EMBED_SIZE_EXCEEDED", `Embed size exceeds maximum size of ${EMBED_TOTAL}`);
}

function part(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Json)[key] : undefined;
}

/** Every component of a message, nested ones too, each with the path to it. */
export function listComponents(components: unknown, path: (string | number)[]): Located[] {
  if (!Array.isArray(components)) return [];
  return (components as Json[]).flatMap((component, index) => {
    const here = [...path, index];
    const accessory = component["accessory"] as Json | undefined;
    return [
      { component, path: here },
      ...listComponents(component["components"], [...here, "components"]),
      ...(accessory ? [{ component: accessory, path: [...here, "accessory"] }] : []),
    ];
  });
}

function checkComponents(all: Located[], isV2: boolean, report: Report): void {
  const seen = new Set<unknown>();
  let text = 0;
  for (const { component, path } of all) {
    const id = component["custom_id"];
    if (id !== undefined && id !== null) {
      if (seen.has(id)) {
        report(
          [...path, "custom_id"],
          "COMPONENT_CUSTOM_ID_DUPLICATED",
          "Component custom id cannot be duplicated",
        );
      }
      seen.add(id);
    }
    if (component["type"] === BUTTON) checkButton(component, path, report);
    if (component["type"] === ACTION_ROW) checkRow(component, path, report);
    if (component["type"] === 3) checkSelect(component, path, report);
    if (
      component["type"] === FILE &&
      !asText((component["file"] as Json)["url"]).startsWith("attachment://")
    ) {
      report([...path, "file", "url"], "BASE_TYPE_BAD_FORMAT", "A file component names an attachment");
    }
    if (component["type"] === TEXT_DISPLAY) text += String(component["content"]).length;
  }
  if (!isV2) return;
  if (all.length > V2_COMPONENTS) {
    report(
      ["components"],
      "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
      "A message can hold 40 components at most",
    );
  }
  if (text > V2_TEXT) {
    report(
      ["components"],
      "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
      `Displayable text exceeds maximum size of ${V2_TEXT}`,
    );
  }
}

function checkButton(button: Json, path: (string | number)[], report: Report): void {
  const style = Number(button["style"]);
  const wanted = style === LINK ? "url" : style === 6 ? "sku_id" : "custom_id";
  if (!button[wanted]) report([...path, wanted], "BASE_TYPE_REQUIRED", "This field is required");
  if (wanted !== "custom_id" && button["custom_id"]) {
    report(
      [...path, "custom_id"],
      "BUTTON_COMPONENT_CUSTOM_ID_INVALID",
      "This button cannot have a custom id",
    );
  }
  if (style !== 6 && !button["label"] && !button["emoji"]) {
    report([...path, "label"], "BUTTON_COMPONENT_INVALID_LABEL", "A button needs a label or an emoji");
  }
}

function checkRow(row: Json, path: (string | number)[], report: Report): void {
  const children = row["components"] as Json[];
  if (children.length > 1 && children.some((child) => SELECTS.has(Number(child["type"])))) {
    report(
      [...path, "components"],
      "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
      "The specified component exceeds the maximum width",
    );
  }
}

function checkSelect(select: Json, path: (string | number)[], report: Report): void {
  const options = select["options"] as Json[];
  const values = new Set<unknown>();
  for (const [index, option] of options.entries()) {
    if (values.has(option["value"])) {
      const message = "The specified option value is already used";
      report([...path, "options", index, "value"], "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message);
    }
    values.add(option["value"]);
  }
  const limit = Math.min(Number(select["max_values"] ?? 1), 25);
  if (Number(select["min_values"] ?? 1) > limit || limit > options.length) {
    report([...path, "max_values"], "BASE_TYPE_BAD_RANGE", "min_values, max_values and options do not agree");
  }
  if (options.filter((option) => option["default"]).length > limit) {
    report([...path, "options"], "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES", "Too many default values");
  }
}

function checkMentions(mentions: unknown, report: Report): void {
  if (typeof mentions !== "object" || mentions === null) return;
  const { parse, ...lists } = mentions as { parse?: unknown[]; users?: unknown[]; roles?: unknown[] };
  for (const kind of ["users", "roles"] as const) {
    if (!parse?.includes(kind) || !lists[kind]?.length) continue;
    report(
      ["allowed_mentions"],
      "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
      `parse:["${kind}"] and ${kind}: [ids...] are mutually exclusive.`,
    );
  }
}
