/** Pictures from elsewhere: a file chosen, dropped or pasted, or the camera. */

const WITHOUT_CAMERA =
  "Here the browser does not lend the page a camera: it does over https and on localhost. " +
  "On a phone its own camera opens instead; elsewhere choose a picture.";

/**
 * @param {(picture: ImageBitmap) => void} show
 * @param {(trouble: string) => void} tell
 */
export function takePictures(show, tell) {
  const file = document.querySelector("#file");
  const dialog = document.querySelector("#camera");
  const video = dialog.querySelector("video");

  const open = async (/** @type {Blob | undefined} */ blob) => {
    if (!blob) return;
    try {
      show(await createImageBitmap(blob)); // turned as its EXIF data say
      tell("");
    } catch {
      tell("That is not a picture that this browser can read: try PNG or JPEG.");
    }
  };

  document.querySelector("#choose").addEventListener("click", () => {
    file.removeAttribute("capture");
    file.click();
  });
  file.addEventListener("change", async () => {
    await open(file.files[0]);
    file.value = ""; // the same file may be chosen again
  });

  document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    open(event.dataTransfer.files[0]);
  });

  let isOpening = false;
  document.querySelector("#photograph").addEventListener("click", async () => {
    if (!navigator.mediaDevices || !dialog.showModal) {
      // A phone's own camera program will do.
      tell(WITHOUT_CAMERA);
      file.setAttribute("capture", "environment");
      file.click();
      return;
    }
    if (isOpening) return; // it may take its time, and be clicked again
    isOpening = true;
    try {
      const facing = { facingMode: "environment", width: { ideal: 1600 } };
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: facing });
      dialog.returnValue = ""; // as Escape leaves it
      dialog.showModal();
      tell("");
    } catch (error) {
      tell(`No camera: ${error.message}. Choose a picture instead.`);
    }
    isOpening = false;
  });
  dialog.addEventListener("close", async () => {
    try {
      if (dialog.returnValue === "take") show(await createImageBitmap(video));
    } catch {
      tell("The camera has shown nothing yet: try again.");
    }
    for (const track of video.srcObject.getTracks()) track.stop();
    video.srcObject = null;
  });
}
