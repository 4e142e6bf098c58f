// A picture that is dropped on a prompt, or parameters that are pasted there, go to the form's own inputs.
(() => {
  const promptAt = (target) => (target instanceof Element ? target.closest(".takes-parameters") : null);
  const holdsFiles = (transfer) => Array.from(transfer?.types ?? []).includes("Files");
  const isParameters = (text) => /(^|\n)\s*Steps: \d+, /.test(text);

  const giveText = (prompt, text) => {
    const area = document.querySelector(`#${prompt.id}-pasted textarea`);
    area.value = text;
    area.dispatchEvent(new Event("input", { bubbles: true }));
    setTimeout(() => document.querySelector(`#${prompt.id}-take`).click(), 50); // once the text has arrived in its box
  };
  const giveFile = (prompt, file) => {
    const input = document.querySelector(`#${prompt.id}-dropped input[type=file]`);
    const transfer = new DataTransfer();
    transfer.items.add(file);
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const take = (prompt, transfer) => {
    const text = transfer.getData("text/plain");
    if (transfer.files.length > 0) giveFile(prompt, transfer.files[0]);
    else if (isParameters(text)) giveText(prompt, text);
    else return false;
    return true;
  };

  for (const kind of ["dragenter", "dragover", "dragleave"]) {
    document.addEventListener(kind, (event) => {
      const prompt = promptAt(event.target);
      if (prompt === null || !holdsFiles(event.dataTransfer)) return;
      prompt.classList.toggle("drop-here", kind !== "dragleave");
      event.preventDefault();
    });
  }
  document.addEventListener("drop", (event) => {
    const prompt = promptAt(event.target);
    if (prompt === null) return;
    prompt.classList.remove("drop-here");
    if (take(prompt, event.dataTransfer)) event.preventDefault();
  }, true);
  document.addEventListener("paste", (event) => {
    const prompt = promptAt(event.target);
    if (prompt === null || !take(prompt, event.clipboardData)) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
})();

// A picture given to an editor that is not ready yet (it has no toolbar until then) would be lost: it waits.
(() => {
  const editorAt = (target) => (target instanceof Element ? target.closest(".waits-for-editor") : null);
  const isReady = (editor) => editor.querySelector("button") !== null;

  const giveOnceReady = (editor, file) => {
    if (!isReady(editor)) {
      requestAnimationFrame(() => giveOnceReady(editor, file));
      return;
    }
    const input = editor.querySelector("input[type=file]");
    const transfer = new DataTransfer();
    transfer.items.add(file);
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const hold = (event, files) => {
    const editor = editorAt(event.target);
    if (editor === null || isReady(editor) || !files?.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    giveOnceReady(editor, files[0]);
  };

  document.addEventListener("change", (event) => hold(event, event.target.files), true);
  document.addEventListener("drop", (event) => hold(event, event.dataTransfer?.files), true);
  document.addEventListener("paste", (event) => hold(event, event.clipboardData?.files), true);
})();

// The keyframes of an animation over time: a click on a mark chooses it, a drag moves it to another time.
(() => {
  const STEP = 0.05; // seconds
  const tell = (place, time = "") => {
    const box = document.querySelector("#animate-moved textarea");
    box.value = `${place}:${time}:${Date.now()}`;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const placeOf = (svg, event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const margin = Number(svg.dataset.margin);
    return Math.max(point.x, margin);
  };
  const timeOf = (svg, x) => {
    const margin = Number(svg.dataset.margin);
    const share = (x - margin) / (svg.viewBox.baseVal.width - 2 * margin);
    return Math.round((share * Number(svg.dataset.seconds)) / STEP) * STEP;
  };
  document.addEventListener("pointerdown", (event) => {
    const mark = event.target instanceof Element ? event.target.closest(".timeline .mark") : null;
    if (mark === null) return;
    event.preventDefault();
    const svg = mark.closest("svg");
    const begin = event.clientX;
    let dragged = false;
    const follow = (next) => {
      dragged = dragged || Math.abs(next.clientX - begin) > 4;
      if (!dragged) return;
      const y = mark.transform.baseVal.consolidate().matrix.f;
      mark.setAttribute("transform", `translate(${placeOf(svg, next)} ${y})`);
    };
    const drop = (last) => {
      document.removeEventListener("pointermove", follow);
      const time = dragged ? Math.max(timeOf(svg, placeOf(svg, last)), 0).toFixed(2) : "";
      tell(mark.dataset.place, time);
    };
    document.addEventListener("pointermove", follow);
    document.addEventListener("pointerup", drop, { once: true });
  });
  document.addEventListener("keydown", (event) => {
    const mark = event.target instanceof Element ? event.target.closest(".timeline .mark") : null;
    if (mark !== null && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      tell(mark.dataset.place);
    }
  });
})();
