import { afterAll } from "vitest";
import { startEngine } from "../../helpers/container-engine.js";
import { describeDriver } from "./contract.js";
import { engineSubject } from "./engine-subject.js";

const engine = await startEngine("docker");
afterAll(() => engine[Symbol.asyncDispose]());

describeDriver(engineSubject(engine));
