// Rules: what they leave on `context` becomes what an Action would have called.
(function (realm) {
  'use strict';

  // As they are now: code that runs later may put something of the same name before them.
  const { Error, JSON, Object, Promise, String } = globalThis;

  class UnauthorizedError extends Error {
    constructor(message) {
      super(message);
      this.name = 'UnauthorizedError';
    }
  }
  realm.exposed.push(UnauthorizedError);
  Object.defineProperty(globalThis, 'UnauthorizedError', { value: UnauthorizedError, configurable: true });
  // The running Action's secrets, under the name that Rules know; in Actions it is an alias.
  Object.defineProperty(globalThis, 'configuration', { get() { return realm.action?.secrets; }, configurable: true });

  function noteMultifactor(asked) {
    const member = 'context.multifactor';
    if (asked === undefined || asked === null || asked === false) {
      realm.flow.provider = null;
      return;
    }
    if (asked === true) {
      realm.enable(member, 'any', null, true);
      return;
    }
    if (typeof asked !== 'object') throw realm.error('invalid-call', member, `${member} is not an object`);
    if (Object.keys(asked).length === 0) {
      realm.flow.provider = null;
      return;
    }
    const { provider, allowRememberBrowser, ignoreCookie } = asked;
    realm.enable(member, provider, asked, allowRememberBrowser ?? !(ignoreCookie ?? false));
  }

  // Notes what `context.multifactor` says by now, if it says something else than when it was last noted.
  function note() {
    const { flow } = realm;
    const says = String(JSON.stringify(flow.context.multifactor));
    if (says === flow.noted) return;
    flow.noted = says;
    noteMultifactor(flow.context.multifactor);
  }

  // Runs a Rule; it is done once it has called back.
  realm.runRule = (rule, done, failed) => {
    const { flow, action } = realm;
    flow.context ??= realm.contextOf(action.event);
    flow.user ??= action.event.user;
    flow.noted ??= 'undefined';
    (flow.rules ??= []).push(action.name);

    function callback(error, user, context) {
      if (action.settled || !action.open) return;
      try {
        if (typeof user === 'object' && user !== null) flow.user = user;
        if (typeof context === 'object' && context !== null) flow.context = context;
        if (error instanceof UnauthorizedError) realm.deny(undefined, String(error.message));
        else if (error !== undefined && error !== null) throw error;
        else note();
      } catch (thrown) {
        failed(thrown);
        return;
      }
      done();
    }

    const returned = rule(flow.user, flow.context, callback);
    if (returned !== null && typeof returned === 'object') Promise.resolve(returned).then(undefined, failed);
  };

  // Hands on what the Rules of a login have left on `context`, once the last of them is done.
  realm.closeRules = () => {
    const { flow } = realm;
    const { context } = flow;
    note();
    for (const [name, call] of [
      ['idToken', 'idToken.setCustomClaim'],
      ['accessToken', 'accessToken.setCustomClaim'],
      ['samlConfiguration', 'samlConfiguration'],
    ]) {
      const value = context[name];
      if (typeof value !== 'object' || value === null) continue;
      for (const key of Object.keys(value)) if (value[key] !== undefined) realm.record(call, [key, value[key]]);
    }
    const { redirect } = context;
    if (flow.accessDenied === undefined && redirect !== undefined && redirect !== null) {
      realm.redirect('context.redirect', redirect.url, undefined);
    }
  };
})
