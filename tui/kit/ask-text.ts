import { messageOf } from "../../lib/errors.js";
import type { Model } from "./model.js";
import type { Prompt } from "./prompt.js";

/** Where a text is typed that a command needs. */
type TextPrompt = Extract<Prompt, { type: "filter" | "input" }>;

/** Asks for the text that a command needs; one that followed its word (`given`, empty: none did) is the answer. */
export function askText(model: Model, given: string, prompt: TextPrompt): void {
  if (given === "") {
    model.prompt = prompt;
    return;
  }
  try {
    if (prompt.type === "filter") prompt.apply(given);
    else prompt.go(given);
  } catch (error) {
    model.say(messageOf(error), "warn");
  }
}
