import type { Image } from "../../../proto/gen/zor/v1/image.js";
import { flagText, flagTexts, type KindCommands } from "../../kit/kind-commands.js";

/** What the command line can say of images. */
export const imageCommands: KindCommands<Image> = {
  set: {
    description: "Change what is said of an image.",
    flags: [
      { flags: "--description <text>", help: "what it is, for people" },
      { flags: "--tag <tag>", help: "its tags instead of those it has; may be repeated", repeatable: true },
    ],
    examples: ['alpha/debian --description "with systemd"', "alpha/debian --tag 12 --tag stable"],
    read: ({ values }) => {
      const [description, tags] = [flagText(values, "description"), flagTexts(values, "tag")];
      return {
        resource: { spec: { ...(description === undefined ? {} : { description }), tags: [...tags] } },
        paths: [
          ...(description === undefined ? [] : ["spec.description"]),
          ...(tags.length === 0 ? [] : ["spec.tags"]),
        ],
      };
    },
  },
};
