import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AnyAuthMethod, AuthenticationType, BaseAgent, ParsedKey } from "ssh2";
import { nameOf, type SshSettings } from "./config.js";
import type { Remembered } from "./questions.js";

type Ssh2 = typeof import("ssh2");

/** ssh2, loaded when the first connection is made: most who run a program need none. */
export function ssh2(): Ssh2 {
  return createRequire(import.meta.url)("ssh2") as Ssh2;
}

/** Answer to a server that asks who we are: a way to prove it, or false when there is none left. */
type Next = (way: AnyAuthMethod | false) => void;

const maxPasswordTries = 3;

/** Proves to one server who we are, in the order of ssh: agent, key files, keyboard-interactive, password. */
export class Authentication {
  /** What was tried, in words. */
  readonly tried: string[] = [];
  /** Methods that the server takes. */
  offered: readonly string[] = [];
  readonly #settings: SshSettings;
  readonly #questions: Remembered | undefined;
  readonly #ways: AsyncGenerator<AnyAuthMethod, undefined, undefined>;

  constructor(settings: SshSettings, questions: Remembered | undefined) {
    this.#settings = settings;
    this.#questions = questions;
    this.#ways = this.#all();
  }

  /** For ssh2: called with what the server takes, null before it has said so. */
  readonly next = (left: readonly AuthenticationType[] | null, _partial: boolean | null, answer: Next): void => {
    if (left !== null) this.offered = left;
    this.#ways.next().then(
      ({ value }) => answer(value ?? false),
      () => answer(false),
    );
  };

  get #who(): string {
    return nameOf(this.#settings);
  }

  async *#all(): AsyncGenerator<AnyAuthMethod, undefined, undefined> {
    const { user: username } = this.#settings;
    yield { type: "none", username };
    if (this.#takes("publickey")) {
      yield* this.#agent(username);
      yield* this.#keys(username);
    }
    if (this.#questions === undefined) return undefined;
    const prompt = `password of ${this.#who}`;
    let wrong: string | undefined;
    for (let tries = 0; tries < maxPasswordTries; tries += 1) {
      // A wrong one is asked for again.
      if (wrong !== undefined) this.#questions.forget(prompt, wrong);
      if (this.#takes("keyboard-interactive")) {
        this.tried.push("keyboard-interactive");
        yield {
          type: "keyboard-interactive",
          username,
          prompt: (...[, , , prompts, finish]) => {
            void this.#answer(
              prompts.map((each) => each.prompt),
              prompt,
            ).then((answers) => {
              [wrong] = answers;
              finish(answers);
            });
          },
        };
      } else if (this.#takes("password")) {
        const password = await this.#questions.secret(prompt);
        if (password === undefined) return undefined;
        wrong = password;
        this.tried.push("a password");
        yield { type: "password", username, password };
      } else return undefined;
    }
    return undefined;
  }

  /** Answers what a server asks; a lone question about a password is the one of {@link #all}, so that each password is asked for once. */
  async #answer(prompts: readonly string[], password: string): Promise<string[]> {
    const answers: string[] = [];
    for (const text of prompts) {
      const isPassword = prompts.length === 1 && /password/i.test(text);
      const prompt = isPassword ? password : `${this.#who} asks: ${text.replace(/[^\x20-\x7e]/g, "").slice(0, 80)}`;
      answers.push((await this.#questions?.secret(prompt)) ?? "");
    }
    return answers;
  }

  #takes(method: string): boolean {
    return this.offered.includes(method);
  }

  async *#agent(username: string): AsyncGenerator<AnyAuthMethod, void, undefined> {
    const { agentSocket, identitiesOnly, identityFiles } = this.#settings;
    if (agentSocket === undefined) return;
    const { createAgent, utils } = ssh2();
    const agent = createAgent(agentSocket);
    const wanted = identitiesOnly ? await publicKeys(identityFiles, utils) : undefined;
    this.tried.push("keys of the agent");
    yield { type: "agent", username, agent: wanted === undefined ? agent : only(agent, wanted) };
  }

  async *#keys(username: string): AsyncGenerator<AnyAuthMethod, void, undefined> {
    const { utils } = ssh2();
    for (const file of this.#settings.identityFiles) {
      const data = await readFile(file).catch(() => undefined);
      if (data === undefined) continue;
      const key = await this.#unlock(file, data, utils);
      if (key === undefined) continue;
      this.tried.push(file);
      yield { type: "publickey", username, key };
    }
  }

  async #unlock(file: string, data: Buffer, utils: Ssh2["utils"]): Promise<ParsedKey | undefined> {
    const key = firstKey(utils.parseKey(data));
    if (!(key instanceof Error)) return key;
    if (!/passphrase|encrypted/i.test(key.message)) {
      this.tried.push(`${file} (cannot be read: ${key.message})`);
      return undefined;
    }
    if (this.#questions === undefined) {
      this.tried.push(
        `${file} (has a passphrase, and there is nobody to ask for it; give the key to an agent with ssh-add)`,
      );
      return undefined;
    }
    const prompt = `passphrase of ${file}`;
    for (let tries = 0; tries < maxPasswordTries; tries += 1) {
      const passphrase = await this.#questions.secret(prompt);
      if (passphrase === undefined || passphrase === "") break;
      const unlocked = firstKey(utils.parseKey(data, passphrase));
      if (!(unlocked instanceof Error)) return unlocked;
      this.#questions.forget(prompt, passphrase);
    }
    this.tried.push(`${file} (its passphrase was not given)`);
    return undefined;
  }
}

/** Some files hold several keys. */
function firstKey(parsed: ParsedKey | Error | readonly ParsedKey[]): ParsedKey | Error {
  if (parsed instanceof Error || !Array.isArray(parsed)) return parsed as ParsedKey | Error;
  return (parsed as readonly ParsedKey[])[0] ?? new Error("it holds no key");
}

/** Public halves of key files, from the ".pub" beside them. */
async function publicKeys(files: readonly string[], utils: Ssh2["utils"]): Promise<readonly Buffer[]> {
  const keys = await Promise.all(
    files.map(async (file) => {
      const data = await readFile(`${file}.pub`).catch(() => undefined);
      const key = data === undefined ? undefined : firstKey(utils.parseKey(data));
      return key === undefined || key instanceof Error ? [] : [key.getPublicSSH()];
    }),
  );
  return keys.flat();
}

/** An agent that shows some of its keys only. */
function only(agent: BaseAgent, wanted: readonly Buffer[]): BaseAgent {
  const all = agent.getIdentities.bind(agent);
  return Object.assign(Object.create(agent) as BaseAgent, {
    getIdentities: (done: (error?: Error | null, keys?: ParsedKey[]) => void) => {
      all((error, keys) => {
        const parsed = (keys ?? []) as ParsedKey[];
        done(
          error ?? null,
          parsed.filter((key) => wanted.some((each) => each.equals(publicOf(key)))),
        );
      });
    },
  });
}

function publicOf(key: ParsedKey | Buffer): Buffer {
  if (Buffer.isBuffer(key)) return key;
  return key.getPublicSSH();
}
