import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { type Registrar, withExamples, withNotes } from "../command.js";
import { createMcpServer } from "../mcp/server.js";

/** `zor mcp`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("mcp")
    .description(
      "Let an assistant look at the fleet, and with --allow-changes change it, over the Model Context Protocol on standard input and output.",
    )
    .option("--allow-changes", "also start, stop, create and apply; the role of the context decides what goes")
    .action(async ({ allowChanges = false }: { readonly allowChanges?: boolean }) => {
      const session = open(command);
      // What is wrong with the context is told at once, not at the first question.
      await session.connect();
      const { input, output } = session.io.terminal;
      const server = createMcpServer(session, allowChanges);
      const ended = Promise.withResolvers<void>();
      server.server.onclose = () => ended.resolve();
      // Streams of terminals are those of files and pipes, with more.
      await server.connect(new StdioServerTransport(input as typeof process.stdin, output as typeof process.stdout));
      input.once("end", () => ended.resolve());
      session.io.signal.addEventListener("abort", () => ended.resolve(), { once: true });
      await ended.promise;
      await server.close();
      session.io.signal.throwIfAborted();
    });
  withNotes(
    command,
    `An assistant sees what the context's role sees, and each change leaves an event with its caller, as any other. Give it a context of its own with the role it needs:
zor token create --service assistant --role viewer. Answers are bounded, and mark what comes from users and guests as data.

Tools that change things only check unless they are told otherwise (validate_only). Nothing is ever deleted.`,
  );
  withExamples(
    command,
    "zor mcp",
    "zor mcp --context viewer",
    "zor mcp --context lab --allow-changes",
    `claude mcp add fleet -- zor mcp --context viewer`,
  );
}
