import { type FormError, refuseForm } from "./errors.ts";
import type { Json } from "./records.ts";

/** Something a member fills in, in a modal. */
export type ModalField = { customId: string; type: number; field: Json; path: (string | number)[] };

/** The fields of a modal, whether in labels or in rows. */
export function listModalFields(modal: Json): ModalField[] {
  const layout = (modal["components"] ?? []) as Json[];
  return layout.flatMap((component, index) => {
    const label = component["component"] as Json | undefined;
    const row = (component["components"] ?? []) as Json[];
    const found = label
      ? [{ field: label, path: ["components", index, "component"] }]
      : row.map((field, place) => ({ field, path: ["components", index, "components", place] }));
    return found.map(({ field, path }) => ({
      customId: String(field["custom_id"]),
      type: Number(field["type"]),
      field,
      path,
    }));
  });
}

/** Refuses modals whose schema is right but which Discord does not show. */
export function checkModal(modal: Json): void {
  const problems: FormError[] = [];
  const seen = new Set<string>();
  for (const { customId, type, field, path } of listModalFields(modal)) {
    if (seen.has(customId)) {
      const message = "Component custom id cannot be duplicated";
      problems.push({
        path: ["data", ...path, "custom_id"],
        code: "COMPONENT_CUSTOM_ID_DUPLICATED",
        message,
      });
    }
    seen.add(customId);
    const isBareInput = type === 4 && path.length === 4 && !field["label"];
    if (isBareInput) {
      problems.push({
        path: ["data", ...path, "label"],
        code: "BASE_TYPE_REQUIRED",
        message: "This field is required",
      });
    }
  }
  if (((modal["components"] ?? []) as Json[]).length > 5) {
    const message = "Must be between 1 and 5 in length.";
    problems.push({ path: ["data", "components"], code: "BASE_TYPE_BAD_LENGTH", message });
  }
  if (problems.length > 0) throw refuseForm(problems);
}
