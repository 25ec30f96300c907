import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

/** Checks a request id: 1 to 64 printable ASCII characters without spaces. */
export function checkRequestId(text: string): string {
  if (/^[\x21-\x7e]{1,64}$/.test(text)) return text;
  throw invalidArgument("--request-id", `${quote(text)} is not 1 to 64 printable characters without spaces`);
}
