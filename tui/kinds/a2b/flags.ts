import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import {
  impairmentFlags,
  impairmentNote,
  readImpairment,
  readImpairmentChange,
} from "../../kit/input/impairment-flags.js";
import type { KindCommands } from "../../kit/kind-commands.js";
import { idOf } from "../../kit/resource-name.js";
import { a2bText } from "./text.js";

/** What the command line can say of in-line boxes. */
export const a2bCommands: KindCommands<A2b> = {
  create: {
    description: "Put an in-line box between two lans of one host: it delays, loses, limits and spoils what passes.",
    words: [
      { word: "<lan-a>", help: "lan at side a", kind: "lan" },
      { word: "<lan-b>", help: "lan at side b", kind: "lan" },
    ],
    flags: impairmentFlags({ live: false }),
    note: impairmentNote,
    examples: [
      "alpha/wan lan1 lan2 --delay 50ms --jitter 5ms --loss 1%",
      "alpha/adsl lan1 lan2 --ab-rate 1mbit --ba-rate 10mbit --delay 20ms",
      "alpha/flaky lan1 lan2 --seed 7 --at '0s for 5s every 1m: down'",
    ],
    read: async ({ words, values, resolve }) => {
      const [a = "", b = ""] = await Promise.all(words.map((lan) => resolve("lan", lan)));
      return { spec: { lanA: idOf(a), lanB: idOf(b), ...(await readImpairment(values)) } };
    },
    done: ({ name, resource }) => a2bText(name, resource),
  },
  set: {
    description: "Change what an in-line box does while frames pass. What is not said stays; a schedule begins anew.",
    flags: impairmentFlags({ live: true }),
    note: impairmentNote,
    examples: ["alpha/wan --loss 5%", "alpha/wan --ab-down", "alpha/wan --no-ab-down --delay 0", "alpha/wan --clear"],
    read: ({ values }) => readImpairmentChange(values),
    done: ({ name, resource }) => a2bText(name, resource),
  },
};
