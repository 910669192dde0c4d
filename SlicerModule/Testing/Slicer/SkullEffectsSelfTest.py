"""The effects in Slicer's own Segment Editor widget, on a small drawn head."""

import os
import tempfile
import time
import unittest

import numpy as np
import slicer
import SkullEffects


def head():
    """A ball of soft tissue with a dark shell in it, in noise."""
    rng = np.random.default_rng(5)
    z, y, x = np.indices((40, 48, 44)) - np.array([20, 24, 22]).reshape(3, 1, 1, 1)
    r = np.sqrt(x**2 + y**2 + z**2)
    voxels = np.abs(rng.normal(0, 8, r.shape))
    voxels[r < 17] = 200
    voxels[r < 14] = 80
    voxels[r < 12] = 300
    return voxels.astype(np.int16)


def wall():
    """A plate of bone between air and soft tissue, with a hole that a thin wall closes and one that is empty."""
    hu = np.full((28, 48, 64), 40.0)
    hu[:12] = -1000
    hu[12:16] = 1200
    y, x = np.indices(hu.shape[1:])
    for center, filled in ((18, 0.5), (46, 0)):
        hole = (x - center) ** 2 + (y - 24) ** 2 <= 6**2
        hu[12:14, hole] = -1000
        hu[14:16, hole] = 40
        hu[13, hole] += filled * 2200
    for axis in range(3):
        edge = np.pad(hu, [(2, 2) if a == axis else (0, 0) for a in range(3)], mode="edge")
        blur = enumerate((0.06, 0.24, 0.4, 0.24, 0.06))
        hu = sum(weight * np.take(edge, range(i, i + hu.shape[axis]), axis) for i, weight in blur)
    return (hu + np.random.default_rng(3).normal(0, 8, hu.shape)).astype(np.int16)


class SkullEffectsSelfTest(unittest.TestCase):
    def setUp(self):
        self.load(head(), 5)

    def load(self, voxels, spacing_mm):
        """A scene of this volume alone, and an editor on it."""
        slicer.mrmlScene.Clear(False)
        self.volume = slicer.util.addVolumeFromArray(voxels)
        self.volume.SetSpacing(spacing_mm, spacing_mm, spacing_mm)
        self.segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        self.segmentation.CreateDefaultDisplayNodes()
        self.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(self.volume)
        self.edit(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))

    def edit(self, node):
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.editor.setMRMLSegmentEditorNode(node)
        self.editor.setSegmentationNode(self.segmentation)
        self.editor.setSourceVolumeNode(self.volume)

    def tearDown(self):
        self.editor.setActiveEffect(None)
        slicer.mrmlScene.Clear(False)

    def wait(self, seconds=0.5):
        """Lets the active effect follow."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            slicer.app.processEvents()

    def effect(self, name):
        self.editor.setActiveEffectByName(name)
        effect = self.editor.activeEffect()
        self.assertIsNotNone(effect, f"{name} is not registered")
        return effect

    def voxels(self, name):
        segment = self.segmentation.GetSegmentation().GetSegmentIdBySegmentName(name)
        return slicer.util.arrayFromSegmentBinaryLabelmap(self.segmentation, segment, self.volume)

    def test_skin_surface_makes_its_segment_and_agrees_with_python(self):
        effect = self.effect("Skin Surface")
        self.assertTrue(effect.apply(), effect.lastError())
        expected = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        found = SkullEffects.skin(self.volume, expected)
        self.assertGreater(found.volume_ml, 1000)
        np.testing.assert_array_equal(
            self.voxels("Skin"),
            slicer.util.arrayFromSegmentBinaryLabelmap(expected, found.segment_id, self.volume),
        )

    def test_masked_threshold_undo_and_options(self):
        SkullEffects.skin(self.volume, self.segmentation)
        bone = SkullEffects.logic().AddSegment(self.segmentation, "Bone")
        self.editor.setCurrentSegmentID(bone)
        effect = self.effect("Masked Threshold")
        self.assertTrue(effect.setOption("MaskSegmentID", "Skin"))
        self.assertTrue(effect.setOption("MinimumThreshold", "250"))
        self.assertFalse(effect.setOption("MinimumTreshold", "250"), "a misspelt option is refused")
        self.assertIn("MinimumThreshold", effect.lastError())
        skin = self.voxels("Skin").copy()
        self.assertTrue(effect.apply(), effect.lastError())
        self.assertTrue(self.voxels("Bone").any())
        np.testing.assert_array_equal(self.voxels("Skin"), skin)
        self.editor.undo()
        self.assertFalse(self.voxels("Bone").any())
        np.testing.assert_array_equal(self.voxels("Skin"), skin)

    def test_inside_of_all_visible_segments(self):
        SkullEffects.skin(self.volume, self.segmentation)
        SkullEffects.threshold(self.volume, self.segmentation, "Core", lower=250)
        bone = SkullEffects.logic().AddSegment(self.segmentation, "Bone")
        self.editor.setCurrentSegmentID(bone)
        effect = self.effect("Masked Threshold")
        effect.setOption("MaskSegmentID", "VISIBLE_SEGMENTS")
        effect.setOption("MinimumThreshold", "40")
        display = self.segmentation.GetDisplayNode()
        display.SetSegmentVisibility("Skin", False)
        self.assertTrue(effect.apply(), effect.lastError())
        np.testing.assert_array_equal(self.voxels("Bone"), self.voxels("Core"))
        display.SetSegmentVisibility("Skin", True)
        self.assertTrue(effect.apply(), effect.lastError())
        self.assertGreater(self.voxels("Bone").sum(), 2 * self.voxels("Core").sum())
        display.SetSegmentVisibility("Skin", False)
        display.SetSegmentVisibility("Core", False)
        self.assertFalse(effect.apply(), "where nothing is visible, everywhere is not meant")

    def test_no_volume_is_an_error_and_not_a_crash(self):
        self.editor.setSourceVolumeNode(None)
        effect = self.effect("Skin Surface")
        self.assertFalse(effect.apply())
        self.assertIn("no volume is selected", effect.lastError())

    def test_thin_bone_with_nothing_selected_is_an_error(self):
        effect = self.effect("Thin Bone")
        self.assertFalse(effect.apply())
        self.assertIn("No segment is selected", effect.lastError())

    def test_parameters_are_in_the_scene(self):
        effect = self.effect("Skin Surface")
        effect.setOption("OpeningMm", "11")
        node = self.editor.mrmlSegmentEditorNode()
        self.assertEqual(node.GetAttribute("Skin Surface.OpeningMm"), "11")
        self.assertEqual(effect.parameter("OpeningMm"), "11")


    def test_a_found_threshold_is_asked_for_only_where_none_is_found(self):
        effect = self.effect("Skin Surface")
        box = slicer.util.findChild(effect.optionsFrame(), "SkullEffectsThreshold")
        self.assertFalse(box.enabled)
        slicer.util.findChild(effect.optionsFrame(), "SkullEffectsAutomaticThreshold").setChecked(False)
        self.assertEqual(effect.parameter("AutomaticThreshold"), "0")
        self.assertTrue(box.enabled)

    def test_preset_finds_what_python_finds_and_warns(self):
        SkullEffects.skin(self.volume, self.segmentation)
        bone = SkullEffects.logic().AddSegment(self.segmentation, "Bone")
        self.editor.setCurrentSegmentID(bone)
        effect = self.effect("Masked Threshold")
        self.assertFalse(effect.usePreset("MR skul"))
        self.assertIn("MR_SKULL", effect.lastError())
        self.assertTrue(effect.usePreset("MR_SKULL"))
        self.assertEqual(effect.parameter("MaximumDepthMm"), "30")
        self.assertFalse(effect.findBounds(), "a preset with depth needs a mask")
        self.assertIn("mask", effect.lastError())
        effect.setOption("MaskSegmentID", "Skin")
        self.assertTrue(effect.findBounds(), effect.lastError())
        # an option that the user changes does not round the others
        found = effect.parameter("MaximumThreshold")
        slicer.util.findChild(effect.optionsFrame(), "SkullEffectsMaximumHoleMl").setValue(0.5)
        self.assertEqual(effect.parameter("MaximumHoleMl"), "0.5")
        self.assertEqual(effect.parameter("MaximumThreshold"), found)
        effect.setOption("MaximumHoleMl", "0")
        self.assertTrue(effect.apply(), effect.lastError())
        self.assertTrue(any("not the skull" in warning for warning in effect.lastWarnings()), effect.lastWarnings())
        expected = SkullEffects.threshold(self.volume, self.segmentation, "Expected", mask="Skin", preset="MR skull")
        self.assertGreater(expected.volume_ml, 10)
        np.testing.assert_array_equal(self.voxels("Bone"), self.voxels("Expected"))
        self.assertTrue(effect.usePreset("NONE"))
        self.assertEqual(effect.parameter("BiasSigmaMm"), "0")

    def review(self):
        """Thin Bone on the wall, with the verdict on its first opening turned to filled."""
        self.load(wall(), 0.8)
        bone = SkullEffects.threshold(self.volume, self.segmentation, "Bone", lower=500).segment_id
        self.editor.setCurrentSegmentID(bone)
        effect = self.effect("Thin Bone")
        for option in ("FwhmInPlaneMm", "FwhmThroughPlaneMm"):
            effect.setOption(option, "1.6")
        self.assertTrue(effect.apply(), effect.lastError())
        self.assertGreaterEqual(effect.numberOfOpenings(), 2)
        return effect

    def test_a_turned_verdict_is_undone_and_redone(self):
        effect = self.review()
        table = slicer.util.findChild(effect.optionsFrame(), "SkullEffectsOpenings")
        before = self.voxels("Thin bone").copy()
        said = table.item(0, 0).text(), table.item(0, 4).text()
        self.assertTrue(effect.toggleOpening(0), effect.lastError())
        after = self.voxels("Thin bone").copy()
        self.assertNotEqual(before.sum(), after.sum())
        self.assertNotEqual((table.item(0, 0).text(), table.item(0, 4).text()), said)
        self.editor.undo()
        self.wait()
        np.testing.assert_array_equal(self.voxels("Thin bone"), before)
        self.assertEqual((table.item(0, 0).text(), table.item(0, 4).text()), said)
        self.editor.redo()
        self.wait()
        np.testing.assert_array_equal(self.voxels("Thin bone"), after)
        self.assertNotEqual((table.item(0, 0).text(), table.item(0, 4).text()), said)

    def test_a_turned_verdict_outlives_the_scene(self):
        effect = self.review()
        effect.toggleOpening(0)
        turned = self.voxels("Thin bone").copy()
        bone = self.voxels("Bone").copy()
        with tempfile.TemporaryDirectory() as folder:
            for node, name in ((self.volume, "scan.nrrd"), (self.segmentation, "reviewed.seg.nrrd")):
                node.AddDefaultStorageNode()
                self.assertTrue(slicer.util.saveNode(node, os.path.join(folder, name)))
            scene = os.path.join(folder, "scene.mrml")
            slicer.mrmlScene.SetRootDirectory(folder)
            slicer.mrmlScene.Commit(scene)
            self.editor.setActiveEffect(None)
            slicer.mrmlScene.Clear(False)
            slicer.util.loadScene(scene)
        self.volume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
        self.segmentation = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        self.edit(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentEditorNode"))
        effect = self.effect("Thin Bone")
        self.assertEqual(effect.parameter("FwhmInPlaneMm"), "1.6")
        self.editor.setCurrentSegmentID("Bone")
        self.assertTrue(effect.apply(), effect.lastError())
        self.assertEqual(self.segmentation.GetSegmentation().GetNumberOfSegments(), 2, "the added segment is found again")
        np.testing.assert_array_equal(self.voxels("Thin bone"), turned)
        self.assertTrue(effect.merge(), effect.lastError())
        np.testing.assert_array_equal(self.voxels("Bone") != 0, (bone != 0) | (turned != 0))
        self.assertFalse(effect.merge())

    def test_thin_bone_in_a_region(self):
        effect = self.review()
        whole = self.voxels("Thin bone").copy()
        region = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
        region.SetCenter(18 * 0.8, 24 * 0.8, 14 * 0.8)
        region.SetSize(16, 16, 16)
        effect.setNodeReference("Region", region)
        self.assertTrue(effect.apply(), effect.lastError())
        expected = SkullEffects.thin_bone(self.volume, self.segmentation, "Expected", fwhm_mm=(1.6, 1.6), roi_mm=region)
        self.assertTrue(expected.volume_ml > 0)
        np.testing.assert_array_equal(self.voxels("Thin bone"), self.voxels("Expected"))
        self.assertLess(self.voxels("Thin bone").sum(), whole.sum())
        box = slicer.util.findChild(effect.optionsFrame(), "SkullEffectsRegion")
        self.assertEqual(box.currentNode(), region)

    def test_the_preview_stays_until_the_effect_is_left(self):
        effect = self.effect("Skin Surface")
        # however long it takes: nothing has changed meanwhile
        self.at_first_progress(lambda: self.wait(1))
        self.assertTrue(effect.preview(), effect.lastError())
        before = self.segmentation.GetSegmentation().GetNumberOfSegments()
        self.assertEqual(before, 0, "a preview writes nothing")
        button = slicer.util.findChild(effect.optionsFrame(), "SkullEffectsPreviewButton")
        self.assertTrue(button.checked)
        self.editor.setActiveEffect(None)
        self.assertFalse(button.checked)

    def at_first_progress(self, act):
        """Acts once, when the kernel has started."""
        logic = slicer.app.moduleLogic("SkullEffects")
        tags = []

        def once(caller, event):
            if tags:
                caller.RemoveObserver(tags.pop())
                act()

        tags.append(logic.AddObserver("ProgressEvent", once))

    def test_cancel_leaves_everything_as_it_was(self):
        effect = self.effect("Skin Surface")
        button = slicer.util.findChild(effect.optionsFrame(), "SkullEffectsApplyButton")
        said = []
        self.at_first_progress(lambda: (said.append(button.text), button.click()))
        button.click()
        self.assertEqual(said, ["Cancel"])
        self.assertEqual(button.text, "Apply")
        self.assertEqual(effect.lastError(), "")
        self.assertEqual(self.segmentation.GetSegmentation().GetNumberOfSegments(), 0)
        self.assertTrue(effect.apply(), effect.lastError())

    def test_a_scene_that_closes_meanwhile_gets_nothing(self):
        effect = self.effect("Skin Surface")
        self.at_first_progress(lambda: slicer.mrmlScene.Clear(False))
        self.assertFalse(effect.apply())
        self.assertIn("nothing was written", effect.lastError())
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 0)
        self.load(head(), 5)
        self.assertTrue(self.effect("Skin Surface").apply())

    def test_a_volume_that_changes_meanwhile_is_told(self):
        effect = self.effect("Skin Surface")
        self.at_first_progress(lambda: self.editor.setSourceVolumeNode(slicer.util.addVolumeFromArray(head())))
        self.assertFalse(effect.apply())
        self.assertIn("nothing was written", effect.lastError())
        self.assertEqual(self.segmentation.GetSegmentation().GetNumberOfSegments(), 0)

    def test_leaving_the_effect_meanwhile_cancels(self):
        effect = self.effect("Skin Surface")
        self.at_first_progress(lambda: self.editor.setActiveEffect(None))
        self.assertFalse(effect.apply())
        self.assertEqual(self.segmentation.GetSegmentation().GetNumberOfSegments(), 0)


if __name__ == "__main__":
    unittest.main()
