/* What readers see where the page cannot start: a notice, never a blank page. Its words stand in the page already,
   because the catalogue is in the data that could not be read. */

function cannotOpen(error) {
  document.getElementById("app").hidden = true;
  document.getElementById("DecompressionStream" in window ? "damaged" : "old-browser").hidden = false;
  throw error;
}
