// expect: ok TypeError Error
export default async function (event, ctx) {
  globalThis.__picloud_script = { default: () => 'mine' }; return 1;
}
