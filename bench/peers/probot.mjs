// Probot as its documentation starts it, with one handler that leaves at once for another label.
import { createRequire } from "node:module";
const require = createRequire(process.env.PROBOT_HOME + "/");
const { pathToFileURL } = await import("node:url");
const { Server, Probot } = await import(pathToFileURL(require.resolve("probot")).href);
const server = new Server({
  Probot: Probot.defaults({
    appId: 1,
    privateKey: process.env.BENCH_KEY,
    secret: process.env.BENCH_SECRET,
    logLevel: "fatal",
  }),
  port: Number(process.env.PORT),
  host: "127.0.0.1",
  webhookPath: "/webhooks/github",
  loggingOptions: { level: "fatal" },
});
await server.load((app) => {
  app.on("issues.labeled", async (context) => {
    if (context.payload.label.name !== "agent:implement") return;
  });
});
await server.start();
