// Makes a bundle of each page script that cmd/deck/.ts-packages names, in the source folder it stands in, as Prow's own
// hack/ts-rollup does. That calls tsc for each of them, half a minute in all; here types are left unchecked.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import commonjs from "@rollup/plugin-commonjs";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import ts from "typescript";

const { config } = ts.readConfigFile("tsconfig.json", ts.sys.readFile);
const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ".");

const typescript = {
  name: "typescript",
  transform: (code, id) => id.endsWith(".ts")
    ? { code: ts.transpileModule(code, { compilerOptions: { ...compilerOptions, inlineSourceMap: false } }).outputText }
    : null,
};

const packages = [...readFileSync("cmd/deck/.ts-packages", "utf8")
  .matchAll(/^- dir: (.+)\n  entrypoint: (.+)\n  dst: (.+)$/gm)];

export default packages.map(([, folder, entry, bundle]) => ({
  context: "window",
  input: join(folder, entry),
  output: { file: join(folder, bundle), format: "esm" },
  plugins: [nodeResolve({ extensions: [".mjs", ".js", ".ts"] }), commonjs(), typescript],
}));
