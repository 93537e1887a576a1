// Runs on any Node, so it is plain old JavaScript. Node 24 comes as the package "node" and is first on npm's PATH,
// unless install scripts are switched off: then this says so instead of a syntax error.
var major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    "Mynah runs on Node 24 and this is Node " +
      process.versions.node +
      ". Run `npm ci --ignore-scripts=false` so that npm may put Node 24 into node_modules, or install Node 24.\n",
  );
  process.exit(1);
}
