// How a hub with a large fleet comes back and serves: npm run bench -- hub [--json] [--quick] [--rounds N] [--sizes HxI,..]. The agents
// are simulated in a process of their own, in the protocol of the real ones. With --json standard output is one object and the table
// goes to standard error. Needs nothing but this project.
import { agentsVerb, serveAgents } from "./hub/agents.js";
import { parsePlan, type Plan, usage } from "./hub/plan.js";
import { formatTable, type Results, toJson } from "./hub/report.js";
import { type Round, runRound } from "./hub/round.js";

const [verb, ...words] = process.argv.slice(2);
if (verb === agentsVerb) await serveAgents(words);
const plan = parsePlan(process.argv.slice(2));
if (plan === undefined) {
  console.error(usage);
  process.exit(2);
}
const results = await measure(plan);
if (plan.json) process.stderr.write(`${formatTable(results)}\n`);
console.log(plan.json ? JSON.stringify(toJson(results), undefined, 2) : formatTable(results));
process.exit(0);

async function measure(chosen: Plan): Promise<Results> {
  const found: { size: Plan["sizes"][number]; rounds: Round[] }[] = chosen.sizes.map((size) => ({ size, rounds: [] }));
  for (let round = 0; round < chosen.rounds; round += 1) {
    for (const { size, rounds } of found) {
      rounds.push(await runRound(chosen, size, (text) => process.stderr.write(`round ${round + 1}: ${text}\n`)));
    }
  }
  return found;
}
