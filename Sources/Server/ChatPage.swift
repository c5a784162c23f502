/// A page to try the server with: one file, nothing from elsewhere. The browser asks for the key by itself and sends it along.
enum ChatPage {
  static let html = #"""
    <!doctype html>
    <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
    <title>Holdfast</title>
    <style>
    :root{color-scheme:light dark;--line:#8886;--soft:#8882}
    *{box-sizing:border-box}
    body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;display:flex;flex-direction:column;min-height:100vh}
    header{display:flex;flex-wrap:wrap;gap:.4rem 1.5rem;align-items:center;border-bottom:1px solid var(--line);padding-bottom:.6rem}
    h1{font-size:1.1rem;margin:0;flex:1 0 100%}
    label{display:flex;gap:.5rem;align-items:center;font-size:.9rem}
    output{min-width:2.6rem;font-variant-numeric:tabular-nums}
    #mix label{display:grid;grid-template-columns:minmax(3rem,auto) 8rem 3rem;justify-content:start}
    #mix{display:flex;flex-wrap:wrap;gap:.2rem 1.5rem}
    #talk{flex:1;padding:1rem 0}
    .turn{margin:0 0 1rem;white-space:pre-wrap;overflow-wrap:anywhere}
    .turn b{display:block;font-size:.75rem;font-weight:600;opacity:.65}
    .user{background:var(--soft);border-radius:.5rem;padding:.5rem .75rem}
    .token{border-radius:.2rem}
    .error{color:#b3261e}
    @media (prefers-color-scheme:dark){.error{color:#ff8a80}}
    form{display:flex;gap:.5rem;position:sticky;bottom:0;padding:.6rem 0;background:Canvas}
    textarea{flex:1;font:inherit;padding:.5rem;min-height:3rem;resize:vertical;border:1px solid var(--line);border-radius:.4rem}
    button,select{font:inherit;padding:.3rem .8rem}
    #legend{font-size:.85rem;opacity:.8}
    #legend i{font-style:normal;padding:0 .4rem;border-radius:.2rem}
    </style></head><body>
    <header><h1>Holdfast</h1>
    <label>Model <select id="model"></select></label>
    <label>Temperature <input id="temperature" type="range" min="0" max="2" step="0.05" value="0.7"><output></output></label>
    <span id="mix"></span>
    <span id="legend" hidden>what the expert did to a token: <i style="background:#e8590c88">likelier</i> <i style="background:#1971c288">less likely</i> than the base had it</span>
    </header>
    <main id="talk" aria-live="polite"></main>
    <form id="form"><textarea id="text" aria-label="Message" placeholder="Say something. Enter sends, Shift-Enter breaks the line." autofocus></textarea>
    <button id="send">Send</button></form>
    <script>
    "use strict";
    const $ = id => document.getElementById(id), messages = [];
    let models = [], stop = null, plain = false;
    // Without the user and password that an address may hold, which fetch refuses.
    const at = path => location.origin + location.pathname.replace(/[^/]*$/, "") + path;
    function slider(name, label, value, most) {
      const box = document.createElement("label"), input = document.createElement("input"), out = document.createElement("output");
      Object.assign(input, {type: "range", min: 0, max: most, step: 0.05});
      input.value = value; input.dataset.name = name; out.value = Number(value).toFixed(2);
      box.append(label + " ", input, out);
      return box;
    }
    document.addEventListener("input", e => { if (e.target.type === "range") e.target.nextElementSibling.value = Number(e.target.value).toFixed(2); });
    function chosen() { return models.find(m => m.id === $("model").value); }
    function show() {
      const e = chosen().emulation;
      $("mix").replaceChildren(); $("legend").hidden = !e;
      if (!e) return;
      $("mix").append(slider("beta", "β", e.beta, Math.max(3, e.beta)));
      if (e.experts.length > 1) e.experts.forEach((name, i) => $("mix").append(slider("weight", name, e.weights[i], 1)));
    }
    fetch(at("v1/models")).then(r => r.json()).then(answer => {
      models = answer.data;
      for (const m of models) $("model").append(new Option(m.id, m.id));
      $("model").onchange = show; show();
      $("temperature").nextElementSibling.value = "0.70";
    });
    function turn(role) {
      const p = document.createElement("p"), b = document.createElement("b");
      p.className = "turn " + role; b.textContent = role; p.append(b); $("talk").append(p);
      return p;
    }
    function say(p, text, entry) {
      const span = document.createElement("span");
      span.textContent = text; span.className = "token";
      const m = entry && entry.mixture;
      if (m && m.base !== null) {
        const d = Math.max(-4, Math.min(4, entry.logprob - m.base)), share = Math.round(Math.min(1, Math.abs(d) / 3) * 170).toString(16).padStart(2, "0");
        span.style.background = (d > 0 ? "#e8590c" : "#1971c2") + share;
        span.title = "log p " + entry.logprob.toFixed(2) + ", base " + m.base.toFixed(2) +
          Object.entries(m.experts).map(([k, v]) => ", " + k + " " + (v === null ? "–" : v.toFixed(2))).join("") +
          (m.anti_expert === null ? "" : ", anti-expert " + m.anti_expert.toFixed(2)) + "; total variation " + m.total_variation.toFixed(2);
      }
      p.append(span);
    }
    function request() {
      const e = chosen().emulation, body = {model: chosen().id, stream: true, temperature: Number($("temperature").value)};
      if (e) {
        Object.assign(body, {logprobs: true, mixture: true});
        for (const input of $("mix").querySelectorAll("input")) {
          if (input.dataset.name === "beta") body.beta = Number(input.value);
          else (body.weights ??= []).push(Number(input.value));
        }
        if (body.weights) body.any_weights = true;
      }
      if (plain) {
        body.prompt = messages.map(m => m.content).join("");
        if (e) body.logprobs = 0;
        body.max_tokens = 128;
      } else body.messages = messages;
      return body;
    }
    async function answer() {
      const p = turn("assistant"); let text = "";
      stop = new AbortController(); $("send").textContent = "Stop";
      try {
        const url = at(plain ? "v1/completions" : "v1/chat/completions");
        const reply = await fetch(url, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(request()), signal: stop.signal});
        if (!reply.ok) {
          const e = (await reply.json()).error;
          if (!plain && e.message.includes("no chat template")) { plain = true; p.remove(); return answer(); }
          throw new Error(e.message);
        }
        const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let rest = "";;) {
          const {done, value} = await reader.read();
          if (done) break;
          const parts = (rest + value).split("\n\n"); rest = parts.pop();
          for (const part of parts) {
            if (part === "data: [DONE]") continue;
            const data = JSON.parse(part.slice(6));
            if (data.error) throw new Error(data.error.message);
            const choice = data.choices[0];
            if (!choice) continue;
            const piece = plain ? choice.text : choice.delta.content;
            let entries = choice.logprobs && choice.logprobs.content || [];
            if (plain && choice.logprobs && choice.logprobs.mixture)
              entries = choice.logprobs.mixture.map((m, i) => ({token: choice.logprobs.tokens[i], logprob: choice.logprobs.token_logprobs[i], mixture: m}));
            if (!piece) continue;
            text += piece;
            if (entries.length > 1 && entries.map(e => e.token).join("") === piece) for (const e of entries) say(p, e.token, e);
            else say(p, piece, entries[0]);
          }
        }
      } catch (e) {
        if (e.name !== "AbortError") { p.classList.add("error"); say(p, e.message); }
      }
      stop = null; $("send").textContent = "Send";
      messages.push({role: "assistant", content: text});
    }
    $("form").onsubmit = e => {
      e.preventDefault();
      if (stop) return stop.abort();
      const content = $("text").value;
      if (!content.trim()) return;
      $("text").value = "";
      messages.push({role: "user", content});
      turn("user").append(content);
      answer();
    };
    $("text").onkeydown = e => { if (e.key === "Enter" && !e.shiftKey) { e.preventDefault(); $("form").requestSubmit(); } };
    </script></body></html>

    """#
}
