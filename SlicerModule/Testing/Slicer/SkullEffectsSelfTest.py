"""The effects in Slicer's own Segment Editor widget, on a small drawn head."""

import unittest

import numpy as np
import slicer
import SkullEffects


class SkullEffectsSelfTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(False)
        rng = np.random.default_rng(5)
        z, y, x = np.indices((40, 48, 44)) - np.array([20, 24, 22]).reshape(3, 1, 1, 1)
        r = np.sqrt(x**2 + y**2 + z**2)
        voxels = np.abs(rng.normal(0, 8, r.shape))
        voxels[r < 17] = 200
        voxels[r < 14] = 80
        voxels[r < 12] = 300
        self.volume = slicer.util.addVolumeFromArray(voxels.astype(np.int16))
        self.volume.SetSpacing(5, 5, 5)
        self.segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        self.segmentation.CreateDefaultDisplayNodes()
        self.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(self.volume)
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.editor.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
        self.editor.setSegmentationNode(self.segmentation)
        self.editor.setSourceVolumeNode(self.volume)

    def tearDown(self):
        self.editor.setActiveEffect(None)
        slicer.mrmlScene.Clear(False)

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


if __name__ == "__main__":
    unittest.main()
