// Runs a flow for a login, an Action at a time. Whoever calls drains the jobs between the steps:
//
//   begin(login) → jobs → poll() → 'next' → next() → jobs → poll() → … → the report, as JSON
//                            ↳ 'fire' → fire() → jobs → poll()
(function (realm) {
  'use strict';

  // As they are now: code that runs later may put something of the same name before them.
  const { InternalError, JSON, Map, Object, Promise, RangeError, String } = globalThis;

  const { stringify, parse } = JSON;
  const actions = [];
  realm.flow = null;
  realm.action = null;

  // Takes an Action: `code` is its module function; `failure` says why it can't be run.
  realm.add = (name, kind, code, failure, secrets) => {
    const modules = new Map();
    actions.push({ name, kind, code, failure, secrets: parse(secrets), modules, require: requirer(modules) });
  };
  realm.addModule = (name, code, failure) => {
    actions[actions.length - 1].modules.set(name, { code, failure });
  };

  // An Action's `require`; what a module has exported is kept for the login alone.
  function requirer(modules) {
    const { require } = { require(name) {
      const cached = (realm.action.required ??= new Map());
      const bare = String(name).replace(/^node:/, '').replace(/(.)@[^/]*/, '$1');
      const found = modules.has(name) ? name : bare;
      if (cached.has(found)) return cached.get(found).exports;
      const there = modules.get(found);
      if (there === undefined) {
        realm.refuse(`require('${name}')`,
          `There is no module '${name}'. Upload a CommonJS bundle of it under that name: modules in actions.toml`);
      }
      if (there.failure !== null) throw realm.error('broken', `require('${name}')`, there.failure);
      const module = { exports: {} };
      cached.set(found, module);
      there.code.call(module.exports, module.exports, require, module);
      return module.exports;
    } };
    return Object.freeze(require);
  }

  realm.fail = (kind, member, message) => {
    const { action } = realm;
    action.failure ??= member === null || member === undefined ? { kind, message } : { kind, message, member };
    action.settled = true;
  };

  function failed(error) {
    const mark = realm.mark(error);
    const text = realm.describe(error).slice(0, realm.limits.maxRaw);
    if (mark !== undefined) realm.fail(mark.kind, mark.member, text);
    else if (error instanceof InternalError && /out of memory/.test(text)) realm.fail('memory', null, text);
    else if (error instanceof RangeError && /call stack/.test(text)) realm.fail('memory', null, text);
    else realm.fail('threw', null, text);
  }
  realm.uncaught = (error) => { if (realm.action?.open) failed(error); };

  // -- the steps --

  function start(place) {
    const { name, kind, code, failure, secrets, require } = actions[place];
    const { flow } = realm;
    const action = {
      name, position: place, open: true, settled: false, failure: null, words: [], console: [],
      secrets: null, event: null, required: null,
    };
    realm.action = action;
    if (failure !== null) {
      realm.fail('broken', null, failure);
      return;
    }
    // An Action's handler may have begun something that is done by now: that is none of this one's.
    const done = () => { if (action === realm.action) action.settled = true; };
    const fails = (error) => { if (action === realm.action && action.open) failed(error); };
    try {
      action.secrets = { ...secrets };
      action.event = realm.eventOf(flow.text, flow.tenant);
      flow.protocol = action.event.transaction?.protocol;
      const module = { exports: {} };
      code.call(module.exports, module.exports, require, module);
      if (kind === 'rule') {
        if (typeof module.exports !== 'function') {
          realm.fail('broken', null, 'A Rule is one function (user, context, callback)');
          return;
        }
        realm.runRule(module.exports, done, fails);
        return;
      }
      const handler = module.exports?.onExecutePostLogin;
      if (typeof handler !== 'function') {
        realm.fail('broken', null, 'It exports no function onExecutePostLogin');
        return;
      }
      action.event.secrets = action.secrets;
      action.event.configuration = action.secrets;
      const returned = handler.call(module.exports, action.event, realm.api);
      if (returned !== null && (typeof returned === 'object' || typeof returned === 'function')) Promise.resolve(returned).then(done, fails);
      else done();
    } catch (error) {
      failed(error);
    }
  }

  realm.begin = (tenant, text, now, seed, cache) => {
    realm.setTime(now, seed);
    realm.setTimers();
    realm.lines = 0;
    // What else a flow comes to have is noted where it is asked for.
    realm.flow = { tenant, text, cached: cache, bytes: 0, ended: false, provider: null, rules: null, spoken: [] };
    start(0);
  };

  // The cache as this login sees it: what was fetched before, and what it wrote since.
  realm.cache = () => {
    const { flow } = realm;
    flow.cache ??= new Map(flow.cached === '' ? [] : Object.entries(parse(flow.cached)).map(
      ([key, [value, expires]]) => [key, { value, expires_at: expires }],
    ));
    return flow.cache;
  };

  realm.next = () => { start(realm.action.position + 1); };

  // Says what the caller has to do next; what it was given to do in between is done, and took so many seconds.
  realm.poll = (seconds) => {
    const { action, flow } = realm;
    if (!action.settled) {
      if (realm.hasTimer()) return 'fire';
      realm.fail('never-settled', null, actions[action.position].kind === 'rule'
        ? 'It never called back' : 'Its promise never settled, and nothing is left to run');
    }
    const following = actions[action.position + 1];
    const isRule = actions[action.position].kind === 'rule';
    if (action.failure === null && isRule && (flow.ended || following?.kind !== 'rule')) {
      try { realm.closeRules(); } catch (error) { failed(error); }
    }
    const last = flow.ended || following === undefined;
    action.open = false;
    realm.clearTimers();
    // Rules share the global object within a login.
    const shares = isRule && !last && following.kind === 'rule';
    if (!shares && !realm.restore()) flow.unclean = true;
    const { failure } = action;
    const words = failure === null ? action.words : [...action.words, `error-${failure.kind}`];
    const said = words.length === 1 ? words[0] : words.length ? words.join('+') : 'silent';
    flow.spoken.push(action.console.length
      ? { position: action.position, said, seconds, console: action.console }
      : { position: action.position, said, seconds });
    return failure !== null || last ? report(failure) : 'next';
  };

  function report(failure) {
    const { flow } = realm;
    realm.flow = null;
    realm.action = null;
    const report = { spoken: flow.spoken };
    // What is left of a flow of Rules that ended early.
    if (flow.unclean || (flow.rules !== null && !realm.restore())) report.clean = false;
    if (failure !== null) report.failure = failure;
    if (flow.accessDenied !== undefined) report.access_denied = flow.accessDenied;
    if (flow.redirectUrl !== undefined) report.redirect_url = flow.redirectUrl;
    if (flow.provider !== null) {
      report.provider = flow.provider;
      report.allow_remember_browser = flow.allowRememberBrowser;
      if (flow.credentials !== null) report.credentials = flow.credentials;
      if (flow.username !== null) report.username = flow.username;
    }
    if (flow.factors !== undefined) report.factors = flow.factors;
    if (flow.recorded !== undefined) report.recorded = flow.recorded;
    if (flow.writes !== undefined) report.cache = flow.writes;
    return stringify(report);
  }

  // What an Action had said and written before it was cut off.
  realm.cutOff = () => {
    const { action, flow } = realm;
    return stringify({ spoken: flow.spoken, position: action.position, words: action.words, console: action.console });
  };
})
