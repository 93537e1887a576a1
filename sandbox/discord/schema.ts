import * as z from "zod/mini";
import { type FormError, refuseForm } from "./errors.ts";
import type { Json } from "./records.ts";

type Issue = z.core.$ZodIssue;

/** Checks a request body against one of Discord's published schemas; refuses with 50035 and says where. */
export function validateBody(schema: z.core.$ZodType, body: unknown, prefix: (string | number)[] = []): Json {
  const result = z.safeParse(schema, withCoercions(body), { reportInput: true });
  if (result.success) return result.data as Json;
  throw refuseForm(result.error.issues.flatMap((issue) => describeIssue(issue, prefix)));
}

/** Discord takes a permission set as a string and an attachment id as a number, which its schemas do not say. */
function withCoercions(body: unknown): unknown {
  if (Array.isArray(body)) return body.map(withCoercions);
  if (typeof body !== "object" || body === null) return body;
  const copy: Json = { ...body };
  const permissions = copy["default_member_permissions"];
  if (typeof permissions === "string" && /^\d+$/.test(permissions)) {
    copy["default_member_permissions"] = Number(permissions);
  }
  if (Array.isArray(copy["attachments"])) copy["attachments"] = copy["attachments"].map(withTextId);
  if (typeof copy["data"] === "object" && copy["data"] !== null) copy["data"] = withCoercions(copy["data"]);
  return copy;
}

function withTextId(attachment: unknown): unknown {
  if (typeof attachment !== "object" || attachment === null) return attachment;
  const { id } = attachment as Json;
  return typeof id === "number" ? { ...attachment, id: String(id) } : attachment;
}

function describeIssue(issue: Issue, parent: (string | number)[]): FormError[] {
  const path = [...parent, ...issue.path.map((key) => (typeof key === "number" ? key : String(key)))];
  if (issue.code === "invalid_union") {
    const branch = chooseBranch(issue.errors);
    if (branch) return branch.flatMap((inner) => describeIssue(inner, path));
  }
  return [{ path, ...nameIssue(issue) }];
}

/** The alternative that was meant: the one whose `type` fits, else the one with the fewest complaints. */
function chooseBranch(branches: Issue[][]): Issue[] | undefined {
  const filled = branches.filter((branch) => branch.length > 0);
  const typed = filled.filter((branch) => !branch.some((issue) => issue.path[0] === "type"));
  return (typed.length > 0 ? typed : filled).toSorted((a, b) => a.length - b.length)[0];
}

function nameIssue(issue: Issue): { code: string; message: string } {
  if (issue.input === undefined || issue.input === null) {
    return { code: "BASE_TYPE_REQUIRED", message: "This field is required" };
  }
  switch (issue.code) {
    case "too_big":
      return typeof issue.input === "number"
        ? { code: "NUMBER_TYPE_MAX", message: `Value should be less than or equal to ${issue.maximum}.` }
        : { code: "BASE_TYPE_MAX_LENGTH", message: `Must be ${issue.maximum} or fewer in length.` };
    case "too_small":
      return typeof issue.input === "number"
        ? { code: "NUMBER_TYPE_MIN", message: `Value should be greater than or equal to ${issue.minimum}.` }
        : { code: "BASE_TYPE_MIN_LENGTH", message: `Must be ${issue.minimum} or more in length.` };
    case "invalid_value":
      return { code: "BASE_TYPE_CHOICES", message: `Value must be one of {${issue.values.join(", ")}}.` };
    case "invalid_format":
      return issue.format === "url"
        ? { code: "URL_TYPE_INVALID_URL", message: "Not a well formed URL." }
        : { code: "BASE_TYPE_BAD_FORMAT", message: `Value is not a valid ${issue.format}.` };
    case "invalid_type":
      return { code: "BASE_TYPE_BAD_TYPE", message: `Expected ${issue.expected}.` };
    default:
      return { code: "BASE_TYPE_INVALID", message: issue.message };
  }
}
