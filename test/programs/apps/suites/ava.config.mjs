export default { files: ["suites/*.ava.test.mjs"] };
