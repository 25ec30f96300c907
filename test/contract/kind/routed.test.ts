import { EchoDriver } from "../../extension/echo-driver.js";
import { describeKind } from "./contract.js";
import { startRoutedWorld } from "./routed-world.js";
import { echo, gauge, instance, lan, wire } from "./subjects.js";

const server = "a hub before its host";

describeKind({ ...gauge, server, start: () => startRoutedWorld() });
describeKind({ ...lan, server, start: () => startRoutedWorld() });
describeKind({ ...instance, server, start: () => startRoutedWorld() });
describeKind({ ...wire, server, start: () => startRoutedWorld() });
const driver = new EchoDriver();
describeKind({
  ...echo,
  server: "a hub before a host with a driver of the tests' own",
  start: () => startRoutedWorld([driver]),
});
