import { setTimeout as delay } from "node:timers/promises";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { HasKeyboard, Typing } from "../abilities/keyboard.js";
import type { DriverInstance } from "../driver-instance.js";
import type { Machine } from "./machine.js";
import { qemuOptionsOf } from "./options.js";
import { machineTypeOf } from "./placement.js";

/** Most combinations and characters of one request. */
const maxStrokes = 256;
const maxTogether = 8;
/** A key is held that long, and the next one comes that much later: keyboards have small buffers, and guests that are emulated are slow. */
const [holdMs, paceMs] = [20, 40];

/** What people call keys, besides QEMU's own names (QKeyCode). */
const otherNames: Readonly<Record<string, string>> = {
  ...{ control: "ctrl", del: "delete", enter: "ret", return: "ret", escape: "esc", space: "spc", ins: "insert" },
  ...{ pageup: "pgup", pagedown: "pgdn", meta: "meta_l", super: "meta_l", win: "meta_l", altgr: "alt_r" },
};

const plain = "abcdefghijklmnopqrstuvwxyz0123456789";
const names = new Set([
  ...plain,
  ...Array.from({ length: 12 }, (_, index) => `f${index + 1}`),
  ...Array.from({ length: 10 }, (_, index) => `kp_${index}`),
  ...["shift", "shift_r", "ctrl", "ctrl_r", "alt", "alt_r", "meta_l", "meta_r", "menu", "caps_lock"],
  ...["num_lock", "scroll_lock", "esc", "tab", "ret", "spc", "backspace", "insert", "delete", "home", "end"],
  ...["pgup", "pgdn", "up", "down", "left", "right", "print", "sysrq", "pause", "minus", "equal"],
  ...["bracket_left", "bracket_right", "backslash", "semicolon", "apostrophe", "grave_accent", "comma", "dot"],
  ...["slash", "less", "kp_enter", "kp_add", "kp_subtract", "kp_multiply", "kp_divide", "kp_decimal"],
]);

/** Where a US keyboard has the other characters. */
const characters = new Map<string, readonly string[]>([
  ...[...plain].map((key): [string, readonly string[]] => [key, [key]]),
  ...[..."abcdefghijklmnopqrstuvwxyz"].map((key): [string, readonly string[]] => [key.toUpperCase(), ["shift", key]]),
  ...[...")!@#$%^&*("].map((sign, digit): [string, readonly string[]] => [sign, ["shift", `${digit}`]]),
  ...toPairs(["minus", "-_"], ["equal", "=+"], ["bracket_left", "[{"], ["bracket_right", "]}"], ["backslash", "\\|"]),
  ...toPairs(["semicolon", ";:"], ["apostrophe", "'\""], ["grave_accent", "`~"], ["comma", ",<"], ["dot", ".>"]),
  ...toPairs(["slash", "/?"]),
  ...[[" ", ["spc"]] as const, ["\n", ["ret"]] as const, ["\t", ["tab"]] as const, ["\b", ["backspace"]] as const],
]);

function toPairs(...keys: readonly (readonly [string, string])[]): readonly [string, readonly string[]][] {
  return keys.flatMap(([key, signs]) =>
    [...signs].map((sign, shifted): [string, readonly string[]] => [sign, shifted === 0 ? [key] : ["shift", key]]),
  );
}

/** Keys that are pressed together, one combination after the other, by QEMU's names; pure. @throws {ZorError} INVALID_ARGUMENT */
export function toStrokes({ keys, text }: Typing): readonly (readonly string[])[] {
  const signs = [...text];
  if ((keys.length === 0) === (signs.length === 0)) throw invalidArgument("keys", "say either keys or text");
  const [field, count] = signs.length > 0 ? ["text", signs.length] : ["keys", keys.length];
  if (count > maxStrokes)
    throw invalidArgument(field, `${count} are more than ${maxStrokes} at once; send the rest later`);
  return signs.length > 0 ? signs.map(toSign) : keys.map(toCombination);
}

function toSign(sign: string): readonly string[] {
  const found = characters.get(sign);
  if (found !== undefined) return found;
  throw invalidArgument(
    "text",
    `${quote(sign)} is not on a US keyboard; use the keys that the guest's layout has for it`,
  );
}

function toCombination(text: string, index: number): readonly string[] {
  const field = `keys[${index}]`;
  const parts = text.toLowerCase().split("-", maxTogether + 1);
  if (parts.length > maxTogether) throw invalidArgument(field, `has more than ${maxTogether} keys`);
  return parts.map((part) => {
    const name = Object.hasOwn(otherNames, part) ? (otherNames[part] ?? part) : part;
    if (names.has(name)) return name;
    throw invalidArgument(
      field,
      `${quote(part, { maxCharacters: 40 })} is no key; keys are a, 7, f1, ctrl, alt, shift, delete, ret, minus and the like: "ctrl-alt-delete"`,
    );
  });
}

/** Types on the keyboards of machines. */
export function machineKeyboard(machines: { machineOf(instance: DriverInstance): Machine }): HasKeyboard {
  return {
    checkKeys: (instance, typing) => {
      toStrokes(typing);
      assertKeyboard(instance);
    },
    sendKeys: async (instance, _handle, typing, { signal }) => {
      const strokes = toStrokes(typing);
      assertKeyboard(instance);
      const machine = machines.machineOf(instance);
      for (const stroke of strokes) {
        const keys = stroke.map((data) => ({ type: "qcode", data }));
        await machine.execute("send-key", { keys, "hold-time": holdMs });
        await delay(paceMs, undefined, { signal });
      }
    },
  };
}

function assertKeyboard({ name, spec }: DriverInstance): void {
  const options = qemuOptionsOf(spec);
  const machine = machineTypeOf(options);
  if (machine === "q35" || machine === "pc" || options.usb?.keyboard === true) return;
  const remedy = machine === "microvm" ? 'use "q35", or its console' : "set qemu.usb.keyboard, or use its console";
  throw failedPrecondition("NO_KEYBOARD", name, `${name}: a machine of type ${machine} has no keyboard; ${remedy}`);
}
