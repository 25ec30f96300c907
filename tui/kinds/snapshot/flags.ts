import type { Snapshot } from "../../../proto/gen/zor/v1/snapshot.js";
import { flagText, type KindCommands } from "../../kit/kind-commands.js";
import { idOf } from "../../kit/resource-name.js";

/** What the command line can say of snapshots. */
export const snapshotCommands: KindCommands<Snapshot> = {
  create: {
    description: "Take a snapshot of an instance; the same as zor snapshot create.",
    words: [{ word: "<instance>", help: "the instance, of the same host", kind: "instance" }],
    flags: [
      { flags: "--ram", help: "with the memory of a running machine" },
      { flags: "-m, --description <text>", help: "what people say of it" },
    ],
    examples: ["alpha/vm1.before vm1 -m 'before the upgrade'"],
    read: async ({ words: [instance = ""], values, resolve }) => ({
      spec: {
        instance: idOf(await resolve("instance", instance)),
        memory: values["ram"] === true,
        description: flagText(values, "description") ?? "",
      },
    }),
  },
  set: {
    description: "Change what is said of a snapshot.",
    flags: [{ flags: "-m, --description <text>", help: "what people say of it" }],
    examples: ["alpha/vm1.before -m 'before the second upgrade'"],
    read: ({ values }) => {
      const description = flagText(values, "description");
      if (description === undefined) return { resource: {}, paths: [] };
      return { resource: { spec: { description } }, paths: ["spec.description"] };
    },
  },
};
