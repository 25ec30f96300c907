import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { addressForm, isDialAddress } from "../../../lib/socket-address.js";

/** Checks an address that is dialled and returns it. */
export function parseAddress(option: string, text: string): string {
  if (isDialAddress(text)) return text;
  throw invalidArgument(option, `${quote(text)} is not an address: expected ${addressForm}`);
}
