export default {
  outputFileTracingRoot: new URL("../..", import.meta.url).pathname,
  distDir: process.env.DIST_DIR ?? ".next",
};
