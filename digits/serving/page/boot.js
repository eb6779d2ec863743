/**
 * Says so if the page cannot start. It is a script for any browser, without modules or new syntax:
 * what is too old for the rest still has to be able to read this.
 */
(function () {
  var OLD =
    "This browser is too old for the page, which needs at least Chromium 92, Safari 15 or " +
    "Firefox 90: update it, or open the page in another one.";
  var MISSING = "A part of the page did not arrive: reload it when the network is back.";
  var reason = OLD;

  function say() {
    if (document.documentElement.getAttribute("data-started")) return;
    var trouble = document.getElementById("trouble");
    if (trouble) trouble.textContent = reason;
  }

  // An error of loading has the script as its target; one of syntax has the window.
  window.addEventListener(
    "error",
    function (event) {
      if (event.target && event.target.tagName === "SCRIPT" && "noModule" in event.target) {
        reason = MISSING;
        say();
      }
    },
    true
  );
  // Modules have run by then, or never will.
  window.addEventListener("load", function () {
    setTimeout(say, 0);
  });
})();
