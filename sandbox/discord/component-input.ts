import { listComponents } from "./message-rules.ts";
import { listModalFields, type ModalField } from "./modal-rules.ts";
import type { Json, MessageRecord } from "./records.ts";
import { isUpload, readTarget, type Resolved, type Target, type UploadInput } from "./resolved.ts";

const BUTTON = 2;
const LINK = 5;
const STRING_SELECT = 3;

/** What a member fills into one modal field. */
type FieldValue = string | boolean | readonly (string | UploadInput | Target)[];
export type FieldValues = { [customId: string]: FieldValue };

/** Finds a button that can be pressed, else says which there are. */
export function pickButton(message: MessageRecord, customId: string): Json {
  const buttons = listAll(message).filter((component) => component["type"] === BUTTON);
  const button = buttons.find((component) => component["custom_id"] === customId);
  if (!button) throw new Error(`There is no button "${customId}"; there are ${nameAll(buttons)}.`);
  if (button["disabled"] === true) throw new Error(`The button "${customId}" is disabled.`);
  if (button["style"] === LINK) throw new Error(`The button "${customId}" is a link.`);
  return { component_type: BUTTON, custom_id: customId, id: button["id"] };
}

/** Checks the values a member picks in a select, and writes them down. */
export function fillSelect(
  message: MessageRecord,
  customId: string,
  values: readonly (string | Target)[],
  userId: string,
  resolved: Resolved,
): Json {
  const selects = listAll(message).filter((component) => isSelect(component));
  const select = selects.find((component) => component["custom_id"] === customId);
  if (!select) throw new Error(`There is no select "${customId}"; there are ${nameAll(selects)}.`);
  if (select["disabled"] === true) throw new Error(`The select "${customId}" is disabled.`);
  return {
    component_type: select["type"],
    custom_id: customId,
    id: select["id"],
    ...readSelection(`The select "${customId}"`, select, values, userId, resolved),
  };
}

function listAll(message: MessageRecord): Json[] {
  return listComponents(message.components, []).map(({ component }) => component);
}

function isSelect(component: Json): boolean {
  return [STRING_SELECT, 5, 6, 7, 8].includes(Number(component["type"]));
}

function nameAll(components: Json[]): string {
  const names = components.map((component) => component["custom_id"]).filter(Boolean);
  return names.length > 0 ? names.join(", ") : "none";
}

function readSelection(
  where: string,
  select: Json,
  values: readonly (string | Target)[],
  userId: string,
  resolved: Resolved,
): { values: string[]; resolved?: Json } {
  const least = Number(select["min_values"] ?? 1);
  const most = Number(select["max_values"] ?? 1);
  if (values.length < least || values.length > most) {
    throw new Error(`${where} takes ${least} to ${most} values, received ${values.length}.`);
  }
  const ids = values.map((value) => {
    const id = readTarget(value);
    if (id === undefined || !isSelectable(select, id, userId, resolved)) {
      throw new Error(`${where} has no option ${JSON.stringify(value)}.`);
    }
    return id;
  });
  const found = select["type"] === STRING_SELECT ? undefined : resolved.toJSON();
  return { values: ids, ...(found && { resolved: found }) };
}

function isSelectable(select: Json, id: string, userId: string, resolved: Resolved): boolean {
  switch (select["type"]) {
    case STRING_SELECT:
      return (select["options"] as Json[]).some((option) => option["value"] === id);
    case 5:
      return resolved.addUser(id);
    case 6:
      return resolved.addRole(id);
    case 7:
      return resolved.addUser(id) || resolved.addRole(id);
    default:
      return resolved.addChannel(id, userId, select["channel_types"] as number[] | undefined);
  }
}

/** Checks what a member fills into a modal, and writes it as a modal submit carries it. */
export function fillModal(modal: Json, values: FieldValues, userId: string, resolved: Resolved): Json {
  const fields = listModalFields(modal);
  for (const customId of Object.keys(values)) {
    if (fields.some((field) => field.customId === customId)) continue;
    const known = fields.map((field) => field.customId).join(", ");
    throw new Error(`The modal has no field "${customId}"; there are ${known}.`);
  }
  const filled = new Map<string, Json>();
  for (const field of fields)
    filled.set(field.customId, fillField(field, values[field.customId], userId, resolved));
  const fill = (field: Json) => filled.get(String(field["custom_id"]));
  const components = ((modal["components"] ?? []) as Json[]).map((layout, index) => {
    const common = { type: layout["type"], id: layout["id"] ?? index + 1 };
    if (layout["component"]) return { ...common, component: fill(layout["component"] as Json) };
    if (Array.isArray(layout["components"])) return { ...common, components: layout["components"].map(fill) };
    return common;
  });
  const found = resolved.toJSON();
  return { custom_id: modal["custom_id"], components, ...(found && { resolved: found }) };
}

function fillField(
  from: ModalField,
  value: FieldValue | undefined,
  userId: string,
  resolved: Resolved,
): Json {
  const { customId, type, field } = from;
  const where = `The field "${customId}"`;
  const common = { type, custom_id: customId, id: field["id"] ?? 100 + from.path.length };
  if (type === 4) return { ...common, value: readText(where, field, value) };
  if (type === 23) return { ...common, value: value === true };
  if (type === 21) return { ...common, value: typeof value === "string" ? value : null };
  const isRequired = field["required"] !== false;
  if (value === undefined && isRequired) throw new Error(`${where} is required.`);
  const list = typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
  if (type === 19) return { ...common, values: readUploads(where, field, list, resolved) };
  if (list.length === 0 && !isRequired) return { ...common, values: [] };
  if (type === 22) return { ...common, values: list };
  return {
    ...common,
    values: readSelection(where, field, list as (string | Target)[], userId, resolved).values,
  };
}

function readText(where: string, field: Json, value: FieldValue | undefined): string {
  const text = value ?? field["value"] ?? "";
  if (typeof text !== "string") throw new Error(`${where} takes text, received ${JSON.stringify(value)}.`);
  if (text === "" && field["required"] === false) return text;
  const least = Number(field["min_length"] ?? 1);
  const most = Number(field["max_length"] ?? 4000);
  if (text.length < least || text.length > most) {
    throw new Error(`${where} takes ${least} to ${most} characters, received ${text.length}.`);
  }
  return text;
}

function readUploads(where: string, field: Json, list: readonly unknown[], resolved: Resolved): string[] {
  const least = field["required"] === false && list.length === 0 ? 0 : Number(field["min_values"] ?? 1);
  const most = Number(field["max_values"] ?? 1);
  const uploads = list.filter(isUpload);
  if (uploads.length !== list.length) throw new Error(`${where} takes files {name, data}.`);
  if (uploads.length < least || uploads.length > most) {
    throw new Error(`${where} takes ${least} to ${most} files, received ${uploads.length}.`);
  }
  return uploads.map((upload) => resolved.addUpload(upload));
}
