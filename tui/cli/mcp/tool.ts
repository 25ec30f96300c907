import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { z } from "zod";
import { answerOf, answerWith } from "./answer.js";

/** What a tool takes, by name. */
type Input = z.ZodRawShape;

/** What a tool is made of. */
interface Definition<I extends Input> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: I;
  /** It changes something. */
  readonly changes?: { readonly destructive: boolean };
  /** @throws what the assistant is told as an error. */
  run(input: z.output<z.ZodObject<I>>): Promise<object>;
}

/** A tool that an assistant may call. */
export interface Tool {
  readonly name: string;
  register(server: McpServer): void;
}

/** Makes a tool: its answers are bounded, and mark what came from the fleet as data. */
export function defineTool<I extends Input>(definition: Definition<I>): Tool {
  const { name, title, description, input, changes } = definition;
  const annotations = {
    readOnlyHint: changes === undefined,
    destructiveHint: changes?.destructive ?? false,
    openWorldHint: false,
  };
  return {
    name,
    register: (server) => {
      server.registerTool(
        name,
        { title, description, inputSchema: input as z.ZodRawShape, annotations },
        async (given) => {
          try {
            // The server has checked it against the shape.
            return answerWith({ ...(await definition.run(given as z.output<z.ZodObject<I>>)) });
          } catch (error) {
            return answerOf(error);
          }
        },
      );
    },
  };
}
